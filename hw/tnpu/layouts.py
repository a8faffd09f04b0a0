"""What the blocks of a unit say to each other."""

from amaranth.lib import data, enum

from .instruction import ADDRESS


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


def setting_layout():
    """What holds for a whole instruction: from its first read until its last sum is in S."""
    return data.StructLayout({
        "opcode": 4, "op": 3, "scalar": 1, "imm": 32, "transpose": 1,
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
        "row": range(max(2, cfg.rows(unit))),           # DRAIN
        "slot": range(cfg.slots),                       # LOCAL, DRAIN
        "group": ADDRESS,       # ROUTE: number of the group
        "first": 1, "index": 1,         # POOL: a window begins; the cycle that writes the index
        "write": 1, "to": ADDRESS, "relu": 1,           # the sum goes to S[to]
    })
