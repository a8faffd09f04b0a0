"""The fields of an instruction and of a descriptor, for hardware and ``golden/tnpu`` alike.

Each entry is (name, bits), least significant first. Numbers are unsigned, and those that count down
are two's complement modulo their width: addresses and jumps wrap.
"""

from enum import IntEnum

LOOPS = 6
ADDRESS = 16        # bits of buffer addresses
COORDINATE = 12     # bits of rows and columns


class Opcode(IntEnum):
    LOAD = 0
    STORE = 1
    STREAM = 2
    LOCAL = 3
    DRAIN = 4
    VECTOR = 5
    POOL = 6


class Op(IntEnum):
    """What VECTOR does."""

    AXPY = 0        # S + a·W
    SWAP = 1        # W + a·S
    MASK = 2        # W > 0 ? S : +0.0
    ROUTE = 3       # X = number of the group ? S + W : S
    CLEAR = 4       # +0.0


class Operand(IntEnum):
    """The row operand of LOCAL and VECTOR (VECTOR's is row 0's)."""

    IMM = 0
    ROWS = 1        # X: a value for each row, as in STREAM
    VALUE = 2       # X: one value for all


class Init(IntEnum):
    """What the first group's sums start from."""

    KEEP = 0        # S
    ZERO = 1
    WORD = 2        # the word S[extra]


class Buffer(IntEnum):
    X = 0
    W = 1
    S0 = 2
    S1 = 3


class Bound(IntEnum):
    """Which operand the coordinates guard."""

    NONE = 0
    X = 1
    W = 2


FIELDS = [
    ("opcode", 4),
    ("wait", 32),
    ("signal", 32),
    ("bank", 1),
    ("inner", 3),
    ("gap", 12),
    ("init", 2),
    ("relu", 1),
    ("transpose", 1),
    ("op", 3),
    ("operand", 2),
    ("imm", 32),
    ("bound", 2),
    ("rows", COORDINATE),
    ("cols", COORDINATE),
    ("row", COORDINATE),
    ("col", COORDINATE),
    ("x", ADDRESS),
    ("w", ADDRESS),
    ("s", ADDRESS),
    ("extra", ADDRESS),
    *((f"{name}{i}", bits) for i in range(LOOPS)
      for name, bits in (("count", 16), ("jump_x", ADDRESS), ("jump_w", ADDRESS),
                         ("jump_s", ADDRESS), ("jump_row", COORDINATE), ("jump_col", COORDINATE))),
    ("address", 64),
    ("beats", 16),
    ("chunks", 16),
    ("stride", 32),     # bytes, signed
    ("buffer", 2),
    ("word", ADDRESS),
    ("word_stride", ADDRESS),
    ("relative", 1),
]

INSTRUCTION_BITS = sum(bits for _, bits in FIELDS)

DESCRIPTOR_FIELDS = [
    ("queue_c", 64),    # byte address of PU-c's instructions
    ("count_c", 32),
    ("count_f", 32),
    ("queue_f", 64),
    ("offset", 64),     # added to addresses marked relative
    ("share_c", 8),     # of 256 parts of the bus PU-c's own, the rest PU-f's; 0: one bus for both
]
