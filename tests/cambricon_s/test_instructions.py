"""Instructions there and back, and the tables of the non-linear functions."""

import random

import numpy as np
import pytest

from golden.cambricon_s.functions import apply, input_fraction, largest_error, table
from golden.cambricon_s.instructions import assemble, decode, disassemble, encode
from hw.cambricon_s.config import PRESETS
from hw.cambricon_s.instruction import CHOICES, INSTRUCTION, field_bits, word_bits

PAPER = PRESETS["paper"]


def random_word(rand, cfg):
    slots = {}
    for slot, fields in INSTRUCTION.items():
        if rand.random() < 0.6:
            slots[slot] = {name: rand.randrange(len(CHOICES[width]) if isinstance(width, str)
                                                else 1 << field_bits(cfg, width))
                           for name, width in fields if rand.random() < 0.7}
    return slots


def test_a_word_and_its_crc_are_a_beat():
    assert word_bits(PAPER) + 32 <= PAPER.memory_bits == 512


@pytest.mark.parametrize("name", PRESETS)
def test_assembler_undoes_the_disassembler(name):
    cfg, rand = PRESETS[name], random.Random(1)
    for _ in range(300):
        slots = random_word(rand, cfg)
        word = encode(slots, cfg)
        assert word < 1 << word_bits(cfg)
        assert assemble(disassemble(word, cfg), cfg) == word
        found = decode(word, cfg)
        assert found.keys() == slots.keys()
        assert all(found[s][f] == v for s in slots for f, v in slots[s].items())


def test_text_by_hand():
    text = "load to=sb side=1 address=0x400 beats=46 publish=1 | store shift=7 function=relu"
    assert disassemble(assemble(text, PAPER), PAPER) == text
    assert assemble("", PAPER) == 0 and disassemble(0, PAPER) == ""
    assert decode(assemble("compute", PAPER), PAPER)["compute"]["dense"] == 0


@pytest.mark.parametrize(("text", "message"), [
    ("jump to=sb", "slot must be one of load, compute, store, not jump"),
    ("load to=dram", "load to must be one of nbin, sib, sb, codebook, bias, ib, every, not dram"),
    ("load what=1", "load field must be one of to, side, address,"),
    ("load side=2", "load side must be 0 to 1, not 2"),
    ("load side=-1", "load side must be 0 to 1, not -1"),
    ("load side=x", "load side must be a whole number, not x"),
    ("load side", "load field must be NAME=VALUE, and each once, not side"),
    ("load side=1 side=1", "and each once, not side=1"),
    ("load | load", "load must be there once in a word"),
])
def test_bad_text(text, message):
    with pytest.raises(ValueError, match=message):
        assemble(text, PAPER)


def test_bad_words():
    with pytest.raises(ValueError, match=r"load to must be one of nbin, .* not number 7"):
        decode(7, PAPER)
    with pytest.raises(ValueError, match="load must be there where it has fields"):
        decode(1, PAPER)
    with pytest.raises(ValueError, match=f"must have {word_bits(PAPER)} bits, not"):
        decode(1 << word_bits(PAPER), PAPER)
    with pytest.raises(ValueError, match="slot must be one of"):
        encode({"jump": {}}, PAPER)
    with pytest.raises(ValueError, match="store field must be one of"):
        encode({"store": {"jump": 1}}, PAPER)


@pytest.mark.parametrize(("function", "error"), [("sigmoid", 3.1e-5), ("tanh", 4.8e-5)])
def test_functions_are_near_the_exact_ones(function, error):
    """The errors that the documentation states, at the paper's preset."""
    assert largest_error(function, 16, PAPER.table_bits) <= error
    values = np.arange(-32768, 32768)
    assert np.all(np.diff(apply(function, values, 16, PAPER.table_bits)) >= 0)


def test_functions_by_hand():
    one = 1 << input_fraction(16)
    assert apply("tanh", np.array([0, one, -one]), 16, 10) == pytest.approx(
        [0, 24956, -24956], abs=1)
    assert apply("sigmoid", np.array([0]), 16, 10).tolist() == [16384]
    assert len(table("sigmoid", 16, 10)) == 1025
    for bad, message in ((("step", 16, 10), "must be one of sigmoid, tanh"),
                         (("tanh", 8, 8), "table_bits must be 1 to 7")):
        with pytest.raises(ValueError, match=message):
            table(*bad)
    with pytest.raises(ValueError, match="must be of 8 bits"):
        apply("tanh", np.array([128]), 8, 4)
