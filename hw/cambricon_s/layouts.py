"""What passes between the blocks."""

from amaranth import *
from amaranth.lib import data

from .instruction import DESCRIPTOR_FIELDS, INSTRUCTION, field_bits

ADDRESS = 25        # bits of addresses in buffers, beyond any that an instruction can say

def window_layout(cfg, selectors=1):
    """A window on its way to so many NSMs. ``count`` neurons are there; ``last`` ends the segment;
    ``dense``: all of them are connected; ``dynamic``: those that are 0 are left out."""
    return data.StructLayout({
        "neurons": data.ArrayLayout(signed(cfg.data_bits), cfg.window),
        "index": cfg.window * selectors,
        "count": cfg.window.bit_length(),
        "last": 1,
        "dense": 1,
        "dynamic": 1,
    })


def chosen_layout(cfg):
    """A neuron and the number of its synapse in the segment."""
    return data.StructLayout({"neuron": signed(cfg.data_bits), "target": cfg.target_bits})


def vector_layout(cfg):
    """What NSM gives: ``lanes`` of which the lowest ``count`` are there. With ``last``,
    ``synapses`` is how many of them the segment's index has."""
    return data.StructLayout({
        "lanes": data.ArrayLayout(chosen_layout(cfg), cfg.tn),
        "count": cfg.tn.bit_length(),
        "last": 1,
        "synapses": cfg.target_bits + 1,
    })


def issue_layout(cfg):
    """What Dispatch sends to all PEs at once: the SB word that the view begins with, and lanes with
    the number of their synapse in the view. With ``last``, the segment ends."""
    return data.StructLayout({
        "word": cfg.sb_addr_bits,
        "lanes": data.ArrayLayout(data.StructLayout({
            "valid": 1, "neuron": signed(cfg.data_bits), "offset": cfg.offset_bits}), cfg.tn),
        "last": 1,
        "synapses": cfg.target_bits + 1,
    })


def slot_layout(cfg, slot):
    """A slot of an instruction, as `INSTRUCTION` has it; ``there`` says that it is."""
    fields = {name: field_bits(cfg, width) for name, width in INSTRUCTION[slot]}
    return data.StructLayout({**fields, "there": 1})


def instruction_layout(cfg):
    return data.StructLayout({slot: slot_layout(cfg, slot) for slot in INSTRUCTION})


def descriptor_layout():
    return data.StructLayout(dict(DESCRIPTOR_FIELDS) | {"crc": 32})


def pair_layout():
    """An event of a pair of sides, in this cycle. Of a take, ``ends``: the side is published, or
    released, when what was taken is done."""
    return data.StructLayout({"valid": 1, "side": 1, "ends": 1})


def fill_layout(cfg):
    """A beat on its way into a buffer, in this cycle.

    ``index``: its first unit's number in its row of the LOAD; ``part``: which beat of that unit it
    is, where one has several. Units from ``low`` up to ``high`` count; unit n goes to address
    ``base`` + n (modulo 2^ADDRESS).
    """
    return data.StructLayout({
        "valid": 1, "to": field_bits(cfg, "buffer"), "side": 1, "base": ADDRESS, "index": ADDRESS,
        "part": ADDRESS, "low": ADDRESS, "high": ADDRESS, "data": cfg.memory_bits})


def segment_layout(cfg):
    """What the blocks behind NSM must know of a segment. ``publish`` and the releases: with it,
    its COMPUTE ends."""
    return data.StructLayout({
        "width": 3, "sb_side": 1, "sb_word": cfg.sb_addr_bits, "synapses": cfg.target_bits + 1,
        "book_side": 1, "nbout_side": 1, "vector": range(cfg.nbout_vectors), "begin": 1,
        "publish": 1, "release_sb": 1, "release_book": 1, "own": 1})


def issued_layout(cfg):
    """An issue of this cycle and the segment that it is of."""
    return data.StructLayout({"valid": 1, "issue": issue_layout(cfg),
                              "segment": segment_layout(cfg)})
