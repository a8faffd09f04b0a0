"""What travels between the blocks of SCNN: lines, descriptors, commands, causes.

One layout serves the hardware, the benches and ``golden/scnn`` reads its field table: nothing here
is written down twice. Memory formats are described in ``hw/scnn/README.md``.
"""

from amaranth.hdl import signed
from amaranth.lib import data, enum

from .config import SCNNConfig
from .descriptor import COMMON_FIELDS, TILE_FIELDS


class SlotKind(enum.Enum, shape=2):
    """What a slot of a line holds."""

    EMPTY = 0
    WEIGHT = 1  # F weights and runs
    BIAS = 2  # biases_per_slot biases, acc_bits each
    ROW = 3  # I activations and runs: one row of an activation RAM


class Cause(enum.Enum, shape=2):
    """What a PE did in a cycle; exactly one holds."""

    DONE = 0  # waits at the barrier; the sequencer knows for what
    MULTIPLY = 1  # a vector of products entered the crossbar's queues
    CONFLICT = 2  # a vector waits for the queues, or the queues empty at the end of a group
    STARVED = 3  # no weights, no activations, or the pipeline fills


class HaloOp(enum.Enum, shape=4):
    """A step of the drain; all PEs do the same step at the same time."""

    LEFT = 0
    RIGHT = 1
    UP = 2
    DOWN = 3
    COPY_LEFT = 4  # pooling windows: the right neighbour's first columns
    COPY_UP = 5
    EMIT = 6  # PPU: bias, requantise, ReLU, pool, compress into OARAM
    CLEAR = 7  # the window's entries of the drained buffer
    CLEAR_ALL = 8  # every entry of the drained buffer: before the first layer


class PEError(enum.Enum, shape=2):
    """What went wrong in a PE; held until reset."""

    NONE = 0
    INPUT_OVERFLOW = 1
    OUTPUT_OVERFLOW = 2
    RANGE = 3  # an activation or weight outside the window


TARGET_ALL = 0xFFFF


def element_layout(cfg: SCNNConfig):
    """A compressed element in memory."""
    return data.StructLayout({"value": signed(cfg.data_bits), "run": cfg.index_bits})


def slot_header_layout():
    """Before a slot: `step` channels are skipped from the slot before."""
    return data.StructLayout({"kind": SlotKind, "first": 1, "last": 1, "step": 4})


def line_layout(cfg: SCNNConfig):
    """A line in memory, without the CRC-32 that fills its top 32 bits."""
    return data.StructLayout({
        "target": 16,  # PE index row*pe_cols+col, or TARGET_ALL
        "channel": 16,  # channel of slot 0
        "end_group": 1,
        "end_section": 1,
        "reserved": 6,
        "headers": data.ArrayLayout(slot_header_layout(), cfg.weight_bus),
        "slots": data.ArrayLayout(cfg.slot_bits, cfg.weight_bus),
    })


def weight_layout(cfg: SCNNConfig):
    """A decoded element: for WEIGHT its linear offset; for other kinds `offset` is the raw run."""
    return data.StructLayout({"value": signed(cfg.data_bits),
                              "offset": max(cfg.acc_addr_bits, cfg.index_bits)})


def decoded_slot_layout(cfg: SCNNConfig):
    return data.StructLayout({
        "kind": SlotKind,
        "first": 1,
        "last": 1,
        "channel": cfg.channel_bits,
        "elements": data.ArrayLayout(weight_layout(cfg), cfg.slot_elements),
    })


def decoded_line_layout(cfg: SCNNConfig):
    """A line on the broadcast tree."""
    return data.StructLayout({
        "target": 16,
        "end_group": 1,
        "slots": data.ArrayLayout(decoded_slot_layout(cfg), cfg.weight_bus),
    })


def announcement_layout(cfg: SCNNConfig):
    """What a PE is told of a line in the cycle before it is first offered."""
    return data.StructLayout({
        "valid": 1,
        "target": 16,
        "end_group": 1,
        "slots": data.ArrayLayout(data.StructLayout({"kind": SlotKind,
                                                     "channel": cfg.channel_bits}),
                                  cfg.weight_bus),
    })


def activation_layout(cfg: SCNNConfig):
    """A decoded activation: `address` = base + position * kc."""
    return data.StructLayout({"value": signed(cfg.data_bits), "address": cfg.acc_addr_bits})


def product_layout(cfg: SCNNConfig):
    """A product on its way to the accumulators (already shifted by product_shift)."""
    return data.StructLayout({"address": cfg.acc_addr_bits, "value": signed(cfg.acc_bits)})


def layer_layout():
    """The descriptor's common part, in words of 32 bits."""
    return data.StructLayout(dict(COMMON_FIELDS))


def tile_layout():
    """What differs by PE row (or PE column)."""
    return data.StructLayout(dict(TILE_FIELDS))


def descriptor_layout(cfg: SCNNConfig):
    return data.StructLayout({
        "layer": layer_layout(),
        "rows": data.ArrayLayout(tile_layout(), cfg.pe_rows),
        "cols": data.ArrayLayout(tile_layout(), cfg.pe_cols),
        "crc": 32,
    })


def command_layout(cfg: SCNNConfig):
    """From the sequencer to all PEs. Pulses but for `load`, `kc` and `channel`."""
    return data.StructLayout({
        "layer_start": 1,  # clear the output RAM (and, with clear_input, the input RAM)
        "clear_input": 1,
        "load": 1,  # level: ROW slots fill the input RAM
        "swap": 1,  # the other accumulator buffer fills
        "run": 1,  # with swap: compute the next group
        "layer_end": 1,  # input and output RAM change places
        "drain": 1,  # start `op`
        "op": HaloOp,
        "kc": 16,  # output channels of the drained group
        "channel": 16,  # first OARAM channel of the drained group
    })


def status_layout(cfg: SCNNConfig):
    """From a PE to the sequencer."""
    return data.StructLayout({
        "empty": 1,  # no line is stored
        "done": 1,  # at the barrier
        "drained": 1,  # no drain step is under way
        "cause": Cause,
        "products": range(cfg.lanes + 1),  # pushed in the cycle before
        "error": PEError,
    })


def link_layout(cfg: SCNNConfig):
    """A halo link: one partial sum per cycle, no backpressure."""
    return data.StructLayout({"valid": 1, "value": signed(cfg.acc_bits)})
