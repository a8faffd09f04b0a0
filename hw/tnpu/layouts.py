"""What the blocks of TNPU say to each other."""

from amaranth.lib import data, enum

from .config import BURST
from .instruction import ADDRESS, DESCRIPTOR_FIELDS, FIELDS


class X(enum.Enum, shape=2):
    """The first operand of a PE's adder."""

    P_IN = 0        # the neighbour's sum
    ZERO = 1        # +0.0
    SLOT = 2        # a local sum


class Y(enum.Enum, shape=2):
    """The second one."""

    PRODUCT = 0
    NOTHING = 1     # -0.0: adding it changes nothing
    SLOT = 2


def ctrl_layout(cfg):
    """What a PE does in a cycle; all 0 with ``y`` NOTHING passes the neighbour's sum on."""
    return data.StructLayout({
        "x": X, "y": Y, "slot": range(cfg.slots),
        "write": 1,             # the sum goes to the slot
        "stationary": 1,        # multiply by the weight register, else by b
        "swap": 1,              # the weight register takes the next weight, first
        "take": 1,              # the next weight is b
    })


def row_layout(cfg):
    """What a row of PEs does in a cycle, and what it needs of X."""
    return data.StructLayout({
        "x": ADDRESS,               # address in its bank of X
        "zero": 1,                  # the row operand is +0.0
        "row": range(cfg.lanes),    # rows from here to the one whose local sums are read
        "ctrl": ctrl_layout(cfg),
    })


def setting_layout():
    """What holds for a whole instruction: from its first read until its last sum is in S."""
    return data.StructLayout({
        "opcode": 4, "op": 3, "operand": 2, "imm": 32, "transpose": 1,
    })


def issue_layout(cfg, unit):
    """What a unit does in a cycle: addresses for its buffers, and what becomes of the words.

    Without ``valid`` only ``w`` and ``take`` mean anything.
    """
    return data.StructLayout({
        "valid": 1,
        "x": ADDRESS, "w": ADDRESS, "s": ADDRESS,       # read; s is `extra` where S[extra] starts
        "x_zero": 1, "w_zero": 1,                       # the operand is +0.0: padding
        "init": 2,              # Init: the sum starts from S, +0.0, or S with -0.0 as +0.0
        "swap": 1,              # STREAM: first issue of a pass
        "take": cfg.rows(unit),         # STREAM: the word of W is these rows' next weight
        "row": range(cfg.lanes),                        # DRAIN
        "slot": range(cfg.slots),                       # LOCAL, DRAIN
        "group": ADDRESS,       # ROUTE: number of the group
        "first": 1, "index": 1,         # POOL: a window begins; the cycle that writes the index
        "write": 1, "to": ADDRESS, "relu": 1,           # the sum goes to S[to]
    })


def instruction_layout():
    """An instruction as it lies in memory, its line's CRC aside."""
    return data.StructLayout(dict(FIELDS))


def descriptor_layout():
    return data.StructLayout(dict(DESCRIPTOR_FIELDS) | {"crc": 32})


def burst_layout(cfg):
    """A burst that asks for the bus. `signal` counts when the last of an instruction ends."""
    return data.StructLayout({
        "write": 1, "address": cfg.addr_bits, "beats": range(BURST + 1), "buffer": 2,
        "word": ADDRESS, "last": 1, "signal": cfg.semaphores,
    })


def fill_layout(cfg):
    """DMA writes a word into a unit's buffer in this cycle."""
    return data.StructLayout({
        "valid": 1, "buffer": 2, "word": ADDRESS, "data": cfg.memory_bits})


def fetch_layout():
    """DMA reads a word of S; its value is given in the next cycle."""
    return data.StructLayout({"valid": 1, "bank": 1, "word": ADDRESS})
