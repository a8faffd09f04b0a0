"""What travels between the blocks of the machine: tokens, what CEs do, results, causes."""
from amaranth.hdl import signed
from amaranth.lib import data, enum, stream
from amaranth.lib.wiring import In, Out

from .config import VALUE_BITS, StationaryConfig
from .descriptor import FIELDS


class Cause(enum.Enum, shape=3):
    """What a DS does in a cycle; the first that holds."""

    MULTIPLY = 0    # a step that emits a pair
    SELECT = 1      # any other step
    STARVED_W = 2   # no weight in the register
    STARVED_F = 3   # no feature in the register
    DRAIN = 4       # WF-FIFO is full, and the MAC holds a sum that RF has no room for
    BLOCKED = 5     # WF-FIFO is full


def feature_layout(cfg: StationaryConfig):
    """A token of the feature flow (hw/s2engine/README.md, "Tokens")."""
    return data.StructLayout({
        "value": VALUE_BITS,
        "offset": cfg.offset_bits,
        "eog": 1,
        **({"tag": 1} if cfg.mixed else {}),
    })


def weight_layout(cfg: StationaryConfig):
    """A token of the weight flow."""
    return data.StructLayout({**feature_layout(cfg).members, "eok": 1})


def result_layout(cfg: StationaryConfig):
    """A sum on its way out of a row; ``tail``: it is the sender's own."""
    return data.StructLayout({"value": signed(cfg.acc_bits), "tail": 1})


class Source(enum.Enum, shape=2):
    """Where a CE takes a group from."""

    FB = 0
    CHAIN = 1       # the CE of the row below, which held it one period before
    EMPTY = 2       # a placeholder: the row has no pixel


def command_layout():
    """What a CE does with the next group; ``keep``: it also holds it for the row above."""
    return data.StructLayout({"source": Source, "keep": 1})


def descriptor_layout(cfg: StationaryConfig):
    """A pass, with its CRC-32."""
    return data.StructLayout({**dict(FIELDS), "crc": 32})


def core_members(cfg):
    """What an array and all in front of it have in this machine: S² Engine's CEs and PEs
    (`hw.s2engine.core`) and the naive array (`hw.dense.core`).

    run : In(1)
        High from a pass's first cycle to its end.
    command, fb : In, by row
        Where a row's groups come from, and its features.
    w : In, by column
        Weights.
    r : Out, by row
        Sums: per kernel tile one of each column, column 0 first.
    causes : Out
        Of each `Cause`, how many PEs were in it two cycles before.
    reads : Out(range(rows + 1))
        Groups whose first token came from FB in the cycle before.
    """
    return {
        "run": In(1),
        "command": In(stream.Signature(command_layout())).array(cfg.rows),
        "fb": In(stream.Signature(feature_layout(cfg))).array(cfg.rows),
        "w": In(stream.Signature(weight_layout(cfg))).array(cfg.cols),
        "r": Out(stream.Signature(result_layout(cfg))).array(cfg.rows),
        "causes": Out(data.ArrayLayout(range(cfg.pes + 1), len(Cause))),
        "reads": Out(range(cfg.rows + 1)),
    }
