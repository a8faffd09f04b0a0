"""What travels between DS and MAC: pairs."""
from amaranth.hdl import signed
from amaranth.lib import data

from .config import S2Config


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
