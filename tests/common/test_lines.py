import random
import zlib

import pytest
from amaranth.hdl import Const
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC

from hw.common.axi.lines import LineReader, LineWriter, line_beats
from hw.common.crc import INIT, RESIDUE, _rows, crc32_step
from sim.common.runner import SIMULATORS, simulate

CONFIGS = [(64, 64), (96, 128), (97, 128), (1, 64), (500, 128)]
DIRECTIONS = {"read": LineReader, "write": LineWriter}


RUNS = [(*config, simulator) for config in CONFIGS for simulator in SIMULATORS
        if simulator == "icarus" or config in CONFIGS[1:3]]       # each Verilator build takes time


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("content_bits, data_bits, simulator", RUNS)
def test_bench(simulator, direction, content_bits, data_bits):
    config = {"content_bits": content_bits, "data_bits": data_bits, "direction": direction}
    simulate(DIRECTIONS[direction](content_bits, data_bits), "sim.common.bench_lines",
             simulator=simulator, config=config)


def test_line_beats():
    assert [line_beats(*c) for c in CONFIGS] == [2, 1, 2, 1, 5]


def _step(register, word, width):
    both = register | word << 32
    return sum(((both & mask).bit_count() & 1) << i for i, mask in enumerate(_rows(width)))


@pytest.mark.parametrize("width", [8, 32, 96, 512])
def test_crc_is_zlibs(width):
    rng = random.Random(width)
    assert CRC32_ISO_HDLC(8).residue() == RESIDUE
    for words in range(1, 5):
        message = rng.randbytes(words * width // 8)
        register = INIT
        for at in range(0, len(message), width // 8):
            register = _step(register, int.from_bytes(message[at:at + width // 8], "little"), width)
        assert register ^ 0xffff_ffff == zlib.crc32(message)
        assert _step(register, zlib.crc32(message), 32) == RESIDUE


def test_crc_takes_bytes():
    with pytest.raises(ValueError, match="a CRC takes whole bytes, not 12 bits"):
        crc32_step(INIT, Const(0, 12))
