"""What goes between the blocks of a PE, and what a pass tells them (hw/mnf/README.md)."""
from enum import IntEnum

from amaranth import *
from amaranth.lib import data


class Kind(IntEnum):
    """Of a flit on an event link."""
    EVENT = 0
    END = 1
    CONFIG = 2
    WEIGHT = 3
    BIAS = 4


KIND_BITS = 3


def event_layout(cfg):
    """An input event; the start weight address is a row and a column of the kernel."""
    return data.StructLayout({
        "value": signed(cfg.data_bits), "channel": cfg.channel_bits, "tap_row": cfg.tap_bits,
        "tap_col": cfg.tap_bits, "neuron": cfg.neuron_bits, "y_jump": cfg.tap_bits,
        "x_jump": cfg.tap_bits})


def input_layout(cfg):
    """What the router interface gives the core: an event, or the end of the data."""
    return data.StructLayout({"event": event_layout(cfg), "end": 1})


def window_bits(cfg):
    """Bits of a window's side."""
    return cfg.max_window.bit_length()


def reciprocal_shift(cfg):
    """s such that (n · ⌈2^s / P⌉) >> s is n div P for every neuron address and P ≤ lanes."""
    return cfg.neuron_bits + 1 + cfg.lane_bits


def load_layout(cfg):
    """What the load module holds during a pass: the lane map, and the pass's place in it."""
    side, entry, lane = window_bits(cfg), cfg.entry_bits, range(cfg.lanes + 1)
    return data.StructLayout({
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
        "base": entry + 1})             # first entry of the sums, less those of `back`


def vector_layout(cfg):
    """One word of weights, its input, and its neuron addresses as the window's origin."""
    return data.StructLayout({
        "end": 1, "value": signed(cfg.data_bits), "entry": cfg.entry_bits,
        "rotation": range(cfg.lanes), "rows": cfg.max_window, "cols": cfg.max_window})


def work_layout(cfg):
    """A vector with its weights."""
    return data.StructLayout({"vector": vector_layout(cfg), "weights": cfg.word_bits})


def slot_layout(cfg):
    """Where a slot lies in the window, how many entries it is behind the origin."""
    return data.StructLayout({
        "used": 1, "row": range(cfg.max_window), "col": range(cfg.max_window),
        "step": cfg.entry_bits})


def dispatch_layout(cfg):
    """What the dispatcher holds during a pass."""
    return data.StructLayout({
        "kl": range(cfg.lanes + 1), "used": range(cfg.lanes + 1),
        "slots": data.ArrayLayout(slot_layout(cfg), cfg.lanes)})


def operand_layout(cfg):
    """What a MAC gets beside the value."""
    return data.StructLayout({
        "enable": 1, "entry": cfg.entry_bits, "weight": signed(cfg.data_bits)})


def operands_layout(cfg):
    """What the MAC cluster gets in a cycle."""
    return data.StructLayout({
        "end": 1, "value": signed(cfg.data_bits),
        "lanes": data.ArrayLayout(operand_layout(cfg), cfg.lanes)})


def payload_bits(cfg):
    """Of a flit on an event link: an event, or a third of a word of weights."""
    return max(Shape.cast(event_layout(cfg)).width, -(-cfg.word_bits // 3), 48)


def flit_layout(cfg):
    """What storage sends: `dest` has a bit per node of the mesh."""
    return data.StructLayout({"dest": cfg.nodes, "kind": KIND_BITS, "payload": payload_bits(cfg)})


def result_layout(cfg):
    """What a PE fires: a pixel of the next layer's map, or `end`: there are no more."""
    return data.StructLayout({
        "source": range(cfg.nodes), "end": 1, "value": signed(cfg.data_bits),
        "channel": cfg.channel_bits, "y": cfg.coord_bits, "x": cfg.coord_bits})


def weight_layout(cfg):
    """A word on its way into the weight SRAM."""
    return data.StructLayout({"address": cfg.weight_bits, "word": cfg.word_bits})


MULTIPLIER_BITS = 31
SHIFT_BITS = 6


def drain_layout(cfg):
    """What the activation module holds during a drain."""
    lane, entry = range(cfg.lanes + 1), cfg.entry_bits + 1
    return data.StructLayout({
        "first": cfg.entry_bits, "groups": entry, "stretch": entry,     # where the sums lie
        "kl": lane, "used": lane, "pitch": cfg.neuron_bits,
        "rows": cfg.coord_bits, "cols": cfg.coord_bits,                 # of the band, of the plane
        "channels": range(cfg.bias_words + 1),
        "first_channel": cfg.channel_bits, "first_row": cfg.coord_bits,  # in the layer's output
        "multiplier": MULTIPLIER_BITS, "shift": SHIFT_BITS,
        "high": cfg.data_bits - 1,                                      # the largest output
        "relu": 1, "threshold": cfg.data_bits - 1})


def fired_layout(cfg):
    """What the activation module gives the router interface; `end` after the last one."""
    return data.StructLayout({
        "end": 1, "value": signed(cfg.data_bits), "channel": cfg.channel_bits,
        "y": cfg.coord_bits, "x": cfg.coord_bits})


def bias_layout(cfg):
    """A bias on its way into the PE."""
    return data.StructLayout({"address": range(cfg.bias_words), "value": signed(cfg.acc_bits)})


def pixel_layout(cfg):
    """A pixel of a map as it is stored, whoever reads it."""
    return data.StructLayout({"value": signed(cfg.data_bits), "channel": cfg.channel_bits,
                              "y": cfg.coord_bits, "x": cfg.coord_bits})


def stride_shift(cfg):
    """s such that (u · ⌈2^s / t⌉) >> s is u div t for every padded coordinate and stride."""
    return cfg.coord_bits + 1 + cfg.tap_bits


def axis_layout(cfg):
    """One axis of the layer that reads a map."""
    return data.StructLayout({
        "pad": cfg.coord_bits, "taps": cfg.tap_bits, "more": cfg.tap_bits,  # R div t, R mod t
        "out": cfg.coord_bits})                                             # outputs, less 1


def target_layout(cfg):
    """PEs that get the same events: their band, their part of the channels."""
    return data.StructLayout({
        "dest": cfg.nodes, "first_row": cfg.coord_bits, "last_row": cfg.coord_bits,
        "first_channel": cfg.channel_bits, "last_channel": cfg.channel_bits})


def generator_layout(cfg):
    """What an event generator holds during a pass. A target without `dest` is none."""
    return data.StructLayout({
        "stride": cfg.tap_bits, "reciprocal": stride_shift(cfg) + 1, "rows": axis_layout(cfg),
        "cols": axis_layout(cfg), "phase_cols": cfg.tap_bits, "phases": 2 * cfg.tap_bits,
        "pitch": cfg.neuron_bits, "targets": data.ArrayLayout(target_layout(cfg), cfg.pes)})


def generated_layout(cfg):
    """An event and the PEs that it is for."""
    return data.StructLayout({"dest": cfg.nodes, "event": event_layout(cfg)})


def pass_layout(cfg):
    """Everything that a PE holds of a pass, as CONFIG flits write it: 32 bits each, in order."""
    return data.StructLayout({
        "fires": 1,         # the end of the data starts a drain
        "waits": 1,         # events wait until what is drained is out: the sums share entries
        "load": load_layout(cfg), "dispatch": dispatch_layout(cfg), "drain": drain_layout(cfg)})


CONFIG_BITS = 32
WEIGHT_POINTER = 0xffff     # CONFIG address: where the next word of weights goes


def config_layout():
    """The payload of CONFIG and BIAS flits."""
    return data.StructLayout({"address": 16, "value": CONFIG_BITS})
