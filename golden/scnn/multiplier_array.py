"""Cycle-exact model of the multiplier array, for lockstep comparison (see `golden.streams`)."""
import numpy as np

from hw.scnn.config import SCNNConfig


def multiply(weights, activations, config: SCNNConfig, product_shift: int):
    """The Cartesian product as arrays ``[F * I]``: valid, address, value.

    ``weights`` is F pairs (value, offset), ``activations`` I pairs (value, address).
    """
    w, a = np.array(weights, np.int64), np.array(activations, np.int64)
    value = np.multiply.outer(w[:, 0], a[:, 0]).ravel()
    address = np.add.outer(w[:, 1], a[:, 1]).ravel()
    return value != 0, address % (1 << config.acc_addr_bits), value >> product_shift


class MultiplierArray:
    """Two registers, each loaded when it is empty or leaves. Words are packed as by the layouts."""

    inputs, outputs = ("i",), ("o",)

    def __init__(self, config: SCNNConfig, product_shift: int):
        self.config, self.product_shift = config, product_shift
        self.reset()

    def reset(self):
        self.operands = self.products = None

    def look(self, offered, ready):
        return ({"i": self.operands is None or self._advances(ready)}, {"o": self.products},
                {"empty": self.operands is None and self.products is None})

    def _advances(self, ready):
        return self.products is None or ready["o"]

    def step(self, offered, ready):
        advances, free = self._advances(ready), self.operands is None
        if advances:
            self.products = None if free else self._multiply(self.operands)
        if advances or free:
            self.operands = offered["i"]

    def _multiply(self, word):
        config = self.config
        offset_bits = max(config.acc_addr_bits, config.index_bits)
        weights, word = _pairs(word, config.mults_f, config.data_bits, offset_bits)
        activations, _ = _pairs(word, config.mults_i, config.data_bits, config.acc_addr_bits)
        packed, at = 0, 0
        for valid, address, value in zip(*multiply(weights, activations, config,
                                                   self.product_shift), strict=True):
            value = int(value) % (1 << config.acc_bits)
            lane = int(valid) | int(address) << 1 | value << 1 + config.acc_addr_bits
            packed |= lane << at
            at += 1 + config.acc_addr_bits + config.acc_bits
        return packed


def _pairs(word, count, value_bits, other_bits):
    """`count` pairs (signed value, unsigned other) off the low end of `word`, and the rest."""
    pairs = []
    for _ in range(count):
        value, word = word & (1 << value_bits) - 1, word >> value_bits
        value -= value >> value_bits - 1 << value_bits
        pairs.append((value, word & (1 << other_bits) - 1))
        word >>= other_bits
    return pairs, word
