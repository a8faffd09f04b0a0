"""What passes between the blocks."""

from amaranth import *
from amaranth.lib import data


def window_layout(cfg):
    """A window on its way to NSM. ``count`` neurons are there; ``last`` ends the segment;
    ``dense``: all of them are connected; ``dynamic``: those that are 0 are left out."""
    return data.StructLayout({
        "neurons": data.ArrayLayout(signed(cfg.data_bits), cfg.window),
        "index": cfg.window,
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
