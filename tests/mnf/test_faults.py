"""Nothing that goes wrong leaves garbage: an error code, an idle machine, a good next run."""

import numpy as np
import pytest

from golden.formats.lines import pack_lines
from golden.layers import Layer, Pool
from golden.mnf import image
from golden.tensors import synthetic
from hw.common.axi.errors import ErrorCode
from hw.mnf import fields
from hw.mnf.config import PRESETS
from hw.mnf.engine import MNFError
from hw.mnf.fields import Kind
from tests.common.harness import Faults
from tests.mnf.design import MNF

CONFIG = PRESETS["tiny"]
CORRUPTED = 200
IDLE_WITHIN = 80_000    # cycles: the watchdog's 65,536 and what comes before and after
LINE = fields.line_bits(CONFIG) // 8


def faults_of(simulator):
    layer = Layer(c=3, h=6, w=5, k=8, r=2, s=3, pad=1, relu=True, shift=3, out_bits=8, bias=True,
                  pool=Pool(kind="max", k=3, s=2))
    tensors = synthetic(layer, weight_density=0.5, activation_density=0.6, seed=3, data_bits=8,
                        acc_bits=30)
    build = MNF.rtl.build(CONFIG, simulator)
    return Faults(MNF, build, CONFIG, [layer], [tensors], idle_within=IDLE_WITHIN)


@pytest.fixture(scope="module")
def faults():
    return faults_of("icarus")


@pytest.fixture(scope="module")
def fast():
    return faults_of("verilator")


def descriptor(faults):
    return faults.program.passes[0].descriptor


def with_line(faults, address, group, values):
    """The image with another line, its CRC that of its new content."""
    data = bytearray(faults.segment.image)
    bits = fields.line_bits(CONFIG) - fields.CRC_BITS
    content = np.frombuffer(image.pack(group, values).to_bytes(bits // 8, "little"), np.uint8)
    data[address:address + LINE] = pack_lines(content[None], bits, CONFIG.memory_bits).tobytes()
    return bytes(data)


def with_flit(faults, kind, payload=0, **changes):
    """Instead of the last line of SETUP a flit to node 1."""
    own = descriptor(faults)
    return with_line(faults, own["setup_addr"] + (own["setup_lines"] - 1) * LINE,
                     fields.flit_line_fields(CONFIG),
                     {"kind": kind, "dest": 2, "count": 1, "payloads": [payload], **changes})


def with_descriptor(faults, n=0, **changes):
    """The image with other values in a descriptor, CRC renewed."""
    data, size = bytearray(faults.segment.image), image.descriptor_bytes(CONFIG)
    at = faults.segment.desc_addr + n * size
    data[at:at + size] = image.pack_descriptor(
        CONFIG, faults.program.passes[n].descriptor | changes)
    return bytes(data)


def event(faults, **changes):
    """A flit of an event that node 1 can take, but for `changes`."""
    good = {"value": 5, "channel": 0, "tap_row": 1, "tap_col": 2, "neuron": 0, "y_jump": 1,
            "x_jump": 1}
    return with_flit(faults, Kind.EVENT, image.pack(fields.event_fields(CONFIG), good | changes))


def test_an_event_in_range(faults):
    """The one that the next test spoils does no harm, but for the outputs."""
    bad, _ = faults.run([faults.clean, faults.clean])
    assert bad.registers["ERROR"] == 0
    result, = faults.run([faults.clean.__class__(**{**vars(faults.clean),
                                                    "image": event(faults)})])
    assert result.registers["ERROR"] == 0


@pytest.mark.parametrize("changes", [
    {"tap_row": 2}, {"tap_col": 3}, {"y_jump": 2}, {"x_jump": 3}, {"channel": 3000},
    {"neuron": 300}], ids=lambda one: next(iter(one)))
def test_events_out_of_range(faults, changes):
    bad = faults.disturbed(MNFError.EVENT, image=event(faults, **changes))
    assert bad.registers["ERROR_INFO"] & 0xffff == 1


def test_flits(faults):
    """Of no kind, to a register that is none, to storage, to nobody; lines of none and too many."""
    for code, changes in (
            (MNFError.FLIT, {"kind": 6}), (MNFError.STRAY, {"kind": Kind.BIAS, "dest": 1}),
            (MNFError.FLIT, {"kind": Kind.CONFIG, "payload": 5000}),
            (MNFError.STRAY, {"kind": Kind.BIAS, "dest": 3}),
            (MNFError.STRAY, {"kind": Kind.BIAS, "dest": 0}),
            (MNFError.LINE, {"kind": Kind.BIAS, "count": 0}),
            (MNFError.LINE, {"kind": Kind.BIAS, "count": 99})):
        faults.disturbed(code, image=with_flit(faults, **changes))


def test_pixel_line_too_long(faults):
    faults.disturbed(MNFError.LINE, image=with_line(
        faults, descriptor(faults)["map_addr"], fields.pixel_line_fields(CONFIG), {"count": 77}))


def test_ends(faults):
    """An END too many, one that is not sent, an `end` that nobody sends."""
    faults.disturbed(MNFError.END_TWICE, image=with_flit(faults, Kind.END))
    bad = faults.disturbed(MNFError.END_MISSING, image=with_descriptor(faults, members=4))
    assert bad.registers["ERROR_INFO"] & 0xffff == 1
    faults.disturbed(MNFError.END_TWICE, image=with_descriptor(faults, fires=2))


NONSENSE = {"members": 3, "fires": 1, "out_rows": 0}


def test_descriptor_nonsense(faults):
    for name, value in NONSENSE.items():
        faults.disturbed(ErrorCode.BAD_DESCRIPTOR,
                         image=with_descriptor(faults, **{name: value}))
    faults.disturbed(ErrorCode.BAD_DESCRIPTOR,
                     image=with_descriptor(faults, keep=1, row_events=CONFIG.storage_events))


def test_outputs_beyond_the_map(faults):
    faults.disturbed(MNFError.PIXEL, image=with_descriptor(faults, out_rows=1))
    faults.disturbed(ErrorCode.REGION_OVERFLOW, image=with_descriptor(faults, store_lines=0))


@pytest.mark.parametrize("field", ["setup_addr", "map_addr", "store_addr"])
def test_bus_errors(faults, field):
    faults.bus_error("write" if field == "store_addr" else "read", descriptor(faults)[field])


def test_bus_error_in_the_descriptor(faults):
    faults.bus_error("read", faults.program.desc_addr)


@pytest.mark.parametrize("at", [90, 400])
@pytest.mark.parametrize("how", ["stopped", "reset"])
def test_stop_and_reset_in_mid_pass(faults, how, at):
    getattr(faults, how)(at)


def test_window_too_small(faults):
    """The lines of SETUP lie behind the region: they are not read."""
    faults.window_ends_at(descriptor(faults)["store_addr"], ErrorCode.READ_WINDOW)


@pytest.mark.regress
def test_corrupted_words(fast):
    assert fast.corrupted_words(CORRUPTED) > CORRUPTED // 4
