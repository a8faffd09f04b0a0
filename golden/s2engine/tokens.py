"""The words that travel between the blocks of S² Engine, as tuples and as packed integers."""
from typing import NamedTuple

from hw.common.stationary.config import StationaryConfig
from hw.s2engine.config import S2Config


class Token(NamedTuple):
    """A token of either flow; ``value`` is its byte, 0 to 255. Features have no ``eok``."""

    value: int
    offset: int
    tag: int = 0
    eog: int = 0
    eok: int = 0


class Pair(NamedTuple):
    """An entry of WF-FIFO: signed operands, and how many of them are high halves."""

    w: int = 0
    f: int = 0
    highs: int = 0
    pair: int = 0
    last: int = 0

    def product(self):
        """What it adds to the sum."""
        return self.w * self.f << 8 * self.highs


def pack_token(token: Token, config: StationaryConfig, weight) -> int:
    """As `weight_layout` or `feature_layout` of ``hw/s2engine`` lay it out."""
    fields = [(token.value, 8), (token.offset, config.offset_bits), (token.eog, 1)]
    if config.mixed:
        fields.append((token.tag, 1))
    if weight:
        fields.append((token.eok, 1))
    return _pack(fields)


def pack_pair(pair: Pair, config: S2Config) -> int:
    """As `pair_layout`."""
    highs = [(pair.highs, 2)] if config.mixed else []
    return _pack([(pair.w, config.operand_bits), (pair.f, config.operand_bits), *highs,
                  (pair.pair, 1), (pair.last, 1)])


def pack_result(result: tuple[int, int], config: S2Config) -> int:
    """As `result_layout`: value and tail."""
    return _pack([(result[0], config.acc_bits), (result[1], 1)])


def _pack(fields):
    """Values and their widths, the first one lowest."""
    word = at = 0
    for value, bits in fields:
        word |= (value & (1 << bits) - 1) << at
        at += bits
    return word


def wrap(value: int, bits: int) -> int:
    """``value`` modulo ``2**bits``, signed."""
    half = 1 << bits - 1
    return (value + half & (1 << bits) - 1) - half
