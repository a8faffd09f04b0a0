"""The fields of what software writes, for hardware (`layouts.py`) and `golden/mnf` alike.

A group is a dict of name to width, least significant first; a width is a number of bits, a negative
one for a signed field, another group, or (count, group) for several of it.
"""
from __future__ import annotations

from enum import IntEnum
from typing import Any

from hw.mnf.config import MNFConfig

CRC_BITS = 32
COUNT_BITS = 8              # of a line's contents
CONFIG_BITS = 32            # of a register of a PE, as CONFIG flits write them
WEIGHT_POINTER = 0xffff     # CONFIG address: where the next word of weights goes
MULTIPLIER_BITS = 31
SHIFT_BITS = 6
KIND_BITS = 3
POOL_BITS = 4               # of a pooling window's side and step
POOL_SHIFT = 34             # (n · ⌈2^34 / area⌉) >> 34 is n div area for every sum of a window
POOL_SLOTS = 4              # windows open per axis, at most

Group = dict[str, Any]


class Kind(IntEnum):
    """Of a flit on an event link."""

    EVENT = 0
    END = 1
    CONFIG = 2
    WEIGHT = 3
    BIAS = 4
    POINTER = 5         # with weight sparsity: start and count (16 bits each) of a list of words


def width(fields: Any) -> int:
    """Bits of a group, or of one field."""
    if isinstance(fields, dict):
        return sum(width(one) for one in fields.values())
    if isinstance(fields, tuple):
        return fields[0] * width(fields[1])
    return abs(fields)


def event_fields(cfg: MNFConfig) -> Group:
    """An input event; the start weight address is a row and a column of the kernel."""
    return {"value": -cfg.data_bits, "channel": cfg.channel_bits, "tap_row": cfg.tap_bits,
            "tap_col": cfg.tap_bits, "neuron": cfg.neuron_bits, "y_jump": cfg.tap_bits,
            "x_jump": cfg.tap_bits}


def payload_bits(cfg: MNFConfig) -> int:
    """Of a flit on an event link: an event, or a third of a word of weights."""
    return max(width(event_fields(cfg)), -(-cfg.word_bits // 3), width(config_fields()))


def flit_fields(cfg: MNFConfig) -> Group:
    """What storage sends: `dest` has a bit per node of the mesh."""
    return {"dest": cfg.nodes, "kind": KIND_BITS, "payload": payload_bits(cfg)}


def config_fields() -> Group:
    """The payload of CONFIG and BIAS flits."""
    return {"address": 16, "value": CONFIG_BITS}


def reciprocal_shift(cfg: MNFConfig) -> int:
    """s such that (n · ⌈2^s / P⌉) >> s is n div P for every neuron address and P ≤ lanes."""
    return cfg.neuron_bits + 1 + cfg.lane_bits


def load_fields(cfg: MNFConfig) -> Group:
    """What the load module holds during a pass: the lane map, and the pass's place in it."""
    side, entry, lane = cfg.max_window.bit_length(), cfg.entry_bits, cfg.lanes.bit_length()
    return {
        "pr": side, "pc": side, "positions": lane,          # the window
        "reciprocal": reciprocal_shift(cfg) + 1,            # ⌈2^s / positions⌉
        "pitch": cfg.neuron_bits,
        "tap_rows": cfg.tap_bits, "tap_cols": cfg.tap_bits,  # of the largest sub-filter, less 1
        "tiles": 8, "tiles_across": cfg.tap_bits,           # of a group; in a row of tiles
        "groups": entry + 1, "words": cfg.weight_bits + 1,  # of a channel; words = groups · tiles
        "stretch": entry + 1,                               # entries per group
        "down_entry": entry, "down_rotation": lane,         # from a row of tiles to the next
        "across_entry": 1, "across_rotation": lane,         # from a tile to the next
        "back": cfg.neuron_bits + 1,    # neurons, whole entries: no origin is below −back
        "base": entry + 1}              # first entry of the sums, less those of `back`


def slot_fields(cfg: MNFConfig) -> Group:
    """Where a slot lies in the window, how many entries it is behind the origin."""
    side = (cfg.max_window - 1).bit_length()
    return {"used": 1, "row": side, "col": side, "step": cfg.entry_bits}


def dispatch_fields(cfg: MNFConfig) -> Group:
    """What the dispatcher holds during a pass."""
    lane = cfg.lanes.bit_length()
    stretch = {"stretch": cfg.entry_bits + 1} if cfg.weight_sparse else {}
    return {"kl": lane, "used": lane, **stretch, "slots": (cfg.lanes, slot_fields(cfg))}


def pool_fields(cfg: MNFConfig) -> Group:
    """Pooling of a band (README, *Pooling*)."""
    return {
        "pool": 2,                                          # 0 none, 1 max, 2 average
        "pool_size": POOL_BITS, "pool_step": POOL_BITS, "pool_slots": 3, "pool_period": 6,
        "pool_top": POOL_BITS, "pool_left": POOL_BITS, "pool_rows": cfg.coord_bits,
        "pool_cols": cfg.coord_bits, "pool_area": 2 * POOL_BITS,
        "pool_reciprocal": POOL_SHIFT + 1}


def drain_fields(cfg: MNFConfig) -> Group:
    """What the activation module holds during a drain."""
    lane, entry = cfg.lanes.bit_length(), cfg.entry_bits + 1
    return {
        "first": cfg.entry_bits, "groups": entry, "stretch": entry,     # where the sums lie
        "kl": lane, "used": lane, "pitch": cfg.neuron_bits,
        "rows": cfg.coord_bits, "cols": cfg.coord_bits,                 # of the band, of the plane
        "channels": cfg.bias_words.bit_length(),
        "first_channel": cfg.channel_bits, "first_row": cfg.coord_bits,  # in the layer's output
        "multiplier": MULTIPLIER_BITS, "shift": SHIFT_BITS,
        "high": cfg.data_bits - 1,                                      # the largest output
        "relu": 1, "threshold": cfg.data_bits - 1, **pool_fields(cfg)}


def pass_fields(cfg: MNFConfig) -> Group:
    """Everything that a PE holds of a pass, as CONFIG flits write it: 32 bits each, in order."""
    return {
        "fires": 1,         # the end of the data starts a drain
        "waits": 1,         # events wait until what is drained is out: the sums share entries
        "load": load_fields(cfg), "dispatch": dispatch_fields(cfg), "drain": drain_fields(cfg)}


def pixel_fields(cfg: MNFConfig) -> Group:
    """A pixel of a map as it is stored, whoever reads it."""
    return {"value": -cfg.data_bits, "channel": cfg.channel_bits, "y": cfg.coord_bits,
            "x": cfg.coord_bits}


def stride_shift(cfg: MNFConfig) -> int:
    """s such that (u · ⌈2^s / t⌉) >> s is u div t for every padded coordinate and stride."""
    return cfg.coord_bits + 1 + cfg.tap_bits


def axis_fields(cfg: MNFConfig) -> Group:
    """One axis of the layer that reads a map."""
    return {"pad": cfg.coord_bits, "taps": cfg.tap_bits, "more": cfg.tap_bits,  # R div t, R mod t
            "out": cfg.coord_bits}                                             # outputs, less 1


def target_fields(cfg: MNFConfig) -> Group:
    """PEs that get the same events: their band, their part of the channels."""
    return {"dest": cfg.nodes, "first_row": cfg.coord_bits, "last_row": cfg.coord_bits,
            "first_channel": cfg.channel_bits, "last_channel": cfg.channel_bits}


def generator_fields(cfg: MNFConfig) -> Group:
    """What an event generator holds during a pass. A target without `dest` is none."""
    return {
        "stride": cfg.tap_bits, "reciprocal": stride_shift(cfg) + 1, "rows": axis_fields(cfg),
        "cols": axis_fields(cfg), "phase_cols": cfg.tap_bits, "phases": 2 * cfg.tap_bits,
        "pitch": cfg.neuron_bits, "targets": (cfg.pes, target_fields(cfg))}


def line_bits(cfg: MNFConfig) -> int:
    """A line in memory, its CRC included."""
    return max(512, cfg.memory_bits)


def flits_per_line(cfg: MNFConfig) -> int:
    head = KIND_BITS + cfg.nodes + COUNT_BITS
    return (line_bits(cfg) - CRC_BITS - head) // payload_bits(cfg)


def flit_line_fields(cfg: MNFConfig) -> Group:
    """Flits of one kind to the same PEs."""
    return {"kind": KIND_BITS, "dest": cfg.nodes, "count": COUNT_BITS,
            "payloads": (flits_per_line(cfg), payload_bits(cfg))}


def pixels_per_line(cfg: MNFConfig) -> int:
    return (line_bits(cfg) - CRC_BITS - 1 - COUNT_BITS) // width(pixel_fields(cfg))


def pixel_line_fields(cfg: MNFConfig) -> Group:
    """A part of a map."""
    return {"end": 1, "count": COUNT_BITS, "pixels": (pixels_per_line(cfg), pixel_fields(cfg))}


def descriptor_fields(cfg: MNFConfig) -> Group:
    """A pass. A CRC-32 of all of it follows; README, *Memory image and descriptors*."""
    fields: Group = {
        "setup_addr": 32, "setup_lines": 32,    # flit lines
        "map_addr": 32, "map_lines": 32,        # pixel lines, with `from_memory`
        "store_addr": 32, "store_lines": 32,    # of the layer: the region, and how much it holds
        "first": 1,             # of its layer
        "last": 1,              # of the list: what it fires is waited for
        "keep": 1,              # outputs stay on chip as far as they fit
        "from_memory": 1,
        "reserved0": 12,
        "out_rows": 16,         # of the layer's outputs
        "row_events": 32,       # words of a bank for each of them
        "first_row": 16, "last_row": 16,        # of the inputs, to be replayed
        "members": cfg.nodes,   # the nodes that get END
        "fires": cfg.nodes,     # those that send `end` for it
        "generator": generator_fields(cfg)}
    return fields | {"reserved1": -width(fields) % 32}
