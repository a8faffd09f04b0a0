"""What goes between the blocks of a PE, and what a pass tells them (hw/mnf/README.md)."""
from amaranth import *
from amaranth.lib import data

from . import fields


def struct(group):
    """The layout of a group of `fields`."""
    def shape(one):
        if isinstance(one, dict):
            return struct(one)
        if isinstance(one, tuple):
            return data.ArrayLayout(shape(one[1]), one[0])
        return signed(-one) if one < 0 else unsigned(one)
    return data.StructLayout({name: shape(one) for name, one in group.items()})


def event_layout(cfg):
    """An input event."""
    return struct(fields.event_fields(cfg))


def input_layout(cfg):
    """What the router interface gives the core: an event, or the end of the data."""
    return data.StructLayout({"event": event_layout(cfg), "end": 1})


def load_layout(cfg):
    """What the load module holds during a pass."""
    return struct(fields.load_fields(cfg))


def vector_layout(cfg):
    """One word of weights, its input, and its neuron addresses as the window's origin."""
    return data.StructLayout({
        "end": 1, "value": signed(cfg.data_bits), "entry": cfg.entry_bits,
        "rotation": range(cfg.lanes), "rows": cfg.max_window, "cols": cfg.max_window})


def work_layout(cfg):
    """A vector with its weights."""
    return data.StructLayout({"vector": vector_layout(cfg), "weights": cfg.word_bits})


def dispatch_layout(cfg):
    """What the dispatcher holds during a pass."""
    return struct(fields.dispatch_fields(cfg))


def operand_layout(cfg):
    """What a MAC gets beside the value."""
    return data.StructLayout({
        "enable": 1, "entry": cfg.entry_bits, "weight": signed(cfg.data_bits)})


def operands_layout(cfg):
    """What the MAC cluster gets in a cycle."""
    return data.StructLayout({
        "end": 1, "value": signed(cfg.data_bits),
        "lanes": data.ArrayLayout(operand_layout(cfg), cfg.lanes)})


def flit_layout(cfg):
    """What storage sends."""
    return struct(fields.flit_fields(cfg))


def result_layout(cfg):
    """What a PE fires: a pixel of the next layer's map, or `end`: there are no more."""
    return data.StructLayout({
        "source": range(cfg.nodes), "end": 1, "value": signed(cfg.data_bits),
        "channel": cfg.channel_bits, "y": cfg.coord_bits, "x": cfg.coord_bits})


def weight_layout(cfg):
    """A word on its way into the weight SRAM."""
    return data.StructLayout({"address": cfg.weight_bits, "word": cfg.word_bits})


def pointer_layout(cfg):
    """Where the words of a tile begin, and how many there are (weight sparsity)."""
    return data.StructLayout({"address": range(cfg.pointer_words), "start": cfg.weight_bits,
                              "count": range((1 << cfg.weight_offset_bits) + 1)})


def drain_layout(cfg):
    """What the activation module holds during a drain."""
    return struct(fields.drain_fields(cfg))


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
    return struct(fields.pixel_fields(cfg))


def generator_layout(cfg):
    """What an event generator holds during a pass."""
    return struct(fields.generator_fields(cfg))


def generated_layout(cfg):
    """An event and the PEs that it is for."""
    return data.StructLayout({"dest": cfg.nodes, "event": event_layout(cfg)})


def pass_layout(cfg):
    """Everything that a PE holds of a pass."""
    return struct(fields.pass_fields(cfg))


def config_layout():
    """The payload of CONFIG and BIAS flits."""
    return struct(fields.config_fields())


def flit_line_layout(cfg):
    """Flits of one kind to the same PEs."""
    return struct(fields.flit_line_fields(cfg))


def pixel_line_layout(cfg):
    """A part of a map."""
    return struct(fields.pixel_line_fields(cfg))


def descriptor_layout(cfg):
    """A pass, and the CRC-32 of its description."""
    return struct(fields.descriptor_fields(cfg) | {"crc": fields.CRC_BITS})
