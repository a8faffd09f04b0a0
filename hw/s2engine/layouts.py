"""What travels between the blocks of S² Engine: tokens, pairs, results, causes."""
from amaranth.hdl import signed
from amaranth.lib import data, enum

from .config import VALUE_BITS, S2Config
from .descriptor import FIELDS


class Cause(enum.Enum, shape=3):
    """What a DS does in a cycle; the first that holds."""

    MULTIPLY = 0    # a step that emits a pair
    SELECT = 1      # any other step
    STARVED_W = 2   # no weight in the register
    STARVED_F = 3   # no feature in the register
    DRAIN = 4       # WF-FIFO is full, and the MAC holds a sum that RF has no room for
    BLOCKED = 5     # WF-FIFO is full


def feature_layout(cfg: S2Config):
    """A token of the feature flow (README, "Tokens")."""
    return data.StructLayout({
        "value": VALUE_BITS,
        "offset": cfg.offset_bits,
        "eog": 1,
        **({"tag": 1} if cfg.mixed else {}),
    })


def weight_layout(cfg: S2Config):
    """A token of the weight flow."""
    return data.StructLayout({**feature_layout(cfg).members, "eok": 1})


def pair_layout(cfg: S2Config):
    """An entry of WF-FIFO: two operands (both 0 unless ``pair``); ``highs``, with mixed precision:
    how many of them are high halves; ``last``: the kernel ends here."""
    return data.StructLayout({
        "w": signed(cfg.operand_bits),
        "f": signed(cfg.operand_bits),
        **({"highs": 2} if cfg.mixed else {}),
        "pair": 1,
        "last": 1,
    })


def result_layout(cfg: S2Config):
    """A sum on its way out of a row; ``tail``: it is the sender's own."""
    return data.StructLayout({"value": signed(cfg.acc_bits), "tail": 1})


def descriptor_layout(cfg: S2Config):
    """A pass, with its CRC-32."""
    return data.StructLayout({**dict(FIELDS), "crc": 32})
