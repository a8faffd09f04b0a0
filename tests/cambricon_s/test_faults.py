"""Nothing that goes wrong leaves garbage: an error code, an idle machine, a good next run."""

from dataclasses import replace

import pytest

from golden.cambricon_s.compile import words_of
from golden.formats.lines import pack_lines
from golden.layers import Layer, Pool
from golden.tensors import synthetic
from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.engine import CambriconSError
from hw.cambricon_s.instruction import CHOICES, INSTRUCTION, word_bits
from hw.common.axi.errors import ErrorCode
from tests.cambricon_s.design import CAMBRICON
from tests.common.harness import Faults

pytestmark = pytest.mark.regress
CONFIG = PRESETS["tiny"]
CORRUPTED = 200
IDLE_WITHIN = 80_000    # cycles: the run's, the watchdog's 65,536, and what comes after


def sample(seed=3):
    """A small layer with padding, pooling, codebooks, several groups of outputs; its tensors."""
    layer = Layer(c=3, h=5, w=5, k=5, r=3, s=2, pad=1, relu=True, shift=4, out_bits=8, bias=True,
                  pool=Pool(kind="max", k=2, s=2))
    return [layer], [synthetic(layer, weight_density=0.5, activation_density=0.6, seed=seed,
                               data_bits=8, acc_bits=20)]


@pytest.fixture(scope="module")
def faults():
    build = CAMBRICON.rtl.build(CONFIG, "verilator")     # 400 runs: minutes in Icarus
    return Faults(CAMBRICON, build, CONFIG, *sample(), idle_within=IDLE_WITHIN)


def test_corrupted_words(faults):
    # The rest lay in the region that is written, or fills up a beat.
    assert faults.corrupted_words(CORRUPTED) > CORRUPTED // 4


def slots(faults, unit):
    """The slots of a unit: dictionaries of their fields."""
    names = [name for name, _ in INSTRUCTION[unit]]
    return [dict(zip(names, row[1:].tolist(), strict=True))
            for row in faults.program.passes[0].slots[unit]]


def first(faults, unit, wanted):
    return next(n for n, slot in enumerate(slots(faults, unit))
                if all(slot[name] == value for name, value in wanted.items()))


def changed(faults, unit, wanted, fields):
    """The image with other fields in the first slot that has the wanted ones; CRCs renewed."""
    one = faults.program.passes[0]
    table, names = one.slots[unit].copy(), [name for name, _ in INSTRUCTION[unit]]
    for name, value in fields.items():
        table[first(faults, unit, wanted), 1 + names.index(name)] = value
    lines = pack_lines(words_of(replace(one, slots={**one.slots, unit: table})),
                       word_bits(CONFIG), CONFIG.memory_bits)
    image = bytearray(faults.segment.image)
    image[one.program_at:one.program_at + lines.size] = lines.tobytes()
    return bytes(image)


def to(name):
    return {"to": CHOICES["buffer"].index(name), "checked": 1}


RANGE, BAD = CambriconSError.RANGE, ErrorCode.BAD_DESCRIPTOR
LOADS = [("nbin", {"first": CONFIG.nbin_granules}, RANGE),
         ("sib", {"first": CONFIG.sib_words}, RANGE),
         ("sb", {"first": CONFIG.sb_words}, RANGE), ("codebook", {"first": 256}, RANGE),
         ("bias", {"first": 1}, RANGE), ("codebook", {"granules": 1}, CambriconSError.CODEBOOK),
         ("sb", {"to": 7}, BAD), ("sb", {"beats": 0}, BAD),
         ("sib", {"acquire": 0}, CambriconSError.SIDE),
         ("nbin", {"crc": 1}, ErrorCode.LINE_CRC),
         ("nbin", {"address": 1 << 30, "checked": 0}, ErrorCode.READ_WINDOW),
         ("sb", {"address": 4, "checked": 0}, ErrorCode.READ_MISALIGNED),
         ("sb", {"publish": 0}, (ErrorCode.WATCHDOG, CambriconSError.SIDE)),
         ("bias", {"side": 1}, (CambriconSError.SIDE, ErrorCode.WATCHDOG))]


@pytest.mark.parametrize(("buffer", "fields", "code"), LOADS)
def test_loads_that_cannot_be(faults, buffer, fields, code):
    """Overruns of each buffer, a codebook too short, sides in the wrong state, bad addresses."""
    faults.disturbed(code, image=changed(faults, "load", to(buffer), fields))


COMPUTES = [
    ({"positions": 0}, BAD), ({"outer": 0}, BAD), ({"inner": 0}, BAD), ({"run": 0}, BAD),
    ({"width": 5}, BAD), ({"nbin_first": CONFIG.nbin_granules}, RANGE),
    ({"sib_word": CONFIG.sib_words}, RANGE), ({"sb_word": CONFIG.sb_words}, RANGE),
    ({"nbout_first": CONFIG.nbout_vectors}, RANGE), ({"synapses": 0}, CambriconSError.INDEX),
    ({"acquire": 0}, CambriconSError.SIDE)]


@pytest.mark.parametrize(("fields", "code"), COMPUTES)
def test_computes_that_cannot_be(faults, fields, code):
    faults.disturbed(code, image=changed(faults, "compute", {"acquire": 1}, fields))


def test_a_side_that_nobody_fills(faults):
    """A COMPUTE keeps the side of NBout that it should give away: STORE waits for ever."""
    bad = faults.disturbed(ErrorCode.WATCHDOG, image=changed(faults, "compute", {"publish": 1},
                                                             {"publish": 0}))
    assert bad.cycles < IDLE_WITHIN


STORES = [({"lanes": CONFIG.tm + 1}, BAD), ({"lanes": 0}, BAD), ({"pool": 3}, BAD),
          ({"out_bits": CONFIG.data_bits}, BAD), ({"pool": 2, "area": 0}, BAD),
          ({"rows": 0}, BAD), ({"nbout_first": 200}, RANGE),
          ({"address": 1 << 30}, ErrorCode.WRITE_WINDOW)]


@pytest.mark.parametrize(("fields", "code"), STORES)
def test_stores_that_cannot_be(faults, fields, code):
    faults.disturbed(code, image=changed(faults, "store", {}, fields))


@pytest.mark.parametrize("bit", [0, 1])
def test_an_index_of_another_segment(faults, bit):
    """A bit of the shared index is another: it disagrees with the number of stored synapses."""
    load = slots(faults, "load")[first(faults, "load", to("sib"))]
    image = bytearray(changed(faults, "load", to("sib"), {"checked": 0}))
    image[load["address"]] ^= 1 << bit
    faults.disturbed(CambriconSError.INDEX, image=bytes(image))


@pytest.mark.parametrize("buffer", ["nbin", "sib", "sb", "codebook", "bias"])
def test_bus_errors(faults, buffer):
    load = slots(faults, "load")[first(faults, "load", to(buffer))]
    faults.bus_error("read", load["address"])


def test_bus_errors_elsewhere(faults):
    faults.bus_error("read", faults.program.desc_addr)
    faults.bus_error("read", faults.program.passes[0].program_at)
    faults.bus_error("write", faults.program.passes[0].target)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("how", ["stopped", "reset"])
def test_stop_and_reset_in_mid_layer(faults, how, share):
    getattr(faults, how)(round(share * min(faults.usual)))


def test_window_too_small(faults):
    # What is fetched lies behind what is stored.
    faults.window_ends_at(faults.program.passes[0].target, ErrorCode.READ_WINDOW)
