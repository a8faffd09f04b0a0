"""Cycle-exact model of the fetch of activations, for lockstep comparison (see `golden.streams`)."""
from collections import deque

from hw.scnn.config import SCNNConfig

BLOCKS, ROWS = 3, 4


def decode(rows, config: SCNNConfig, base: int, kc: int, limit: int):
    """Rows of (value, run) -> per row its word at the output and whether it is out of range.

    A word is, per element, value then address, then `last`, as ``hw/scnn/activation_fetch.py``
    packs it.
    """
    decoded, position = [], -1
    for n, row in enumerate(rows):
        word, offset, wrong = 0, 0, False
        for value, run in row:
            position += run + 1
            address = base + position * kc
            wrong |= value != 0 and address >= limit
            word |= (value % (1 << config.data_bits)
                     | address % (1 << config.acc_addr_bits) << config.data_bits) << offset
            offset += config.data_bits + config.acc_addr_bits
        decoded.append((word | (n == len(rows) - 1) << offset, wrong))
    return decoded


class ActivationFetch:
    """Queues of decoded blocks and rows. `channels`: channel -> rows of (value, run)."""

    inputs, outputs = ("i",), ("o",)

    def __init__(self, config: SCNNConfig, channels, base: int, kc: int, limit: int):
        self.channels = {channel: decode(rows, config, base, kc, limit)
                         for channel, rows in channels.items()}
        self.errors = 0
        self.reset()

    def reset(self):
        self.blocks, self.rows = deque(), deque()
        self.looked_up = self.fetched = None
        self.range_error = False

    def _space(self):
        return len(self.blocks) + (self.looked_up is not None) < BLOCKS

    def look(self, offered, ready):
        return ({"i": self._space()}, {"o": self.rows[0] if self.rows else None},
                {"range_error": self.range_error})

    def step(self, offered, ready):
        take = offered["i"] is not None and self._space()
        issue = self.blocks and len(self.rows) + (self.fetched is not None) < ROWS
        if self.rows and ready["o"]:
            self.rows.popleft()
        self.range_error = self.fetched is not None and self.fetched[1]
        self.errors += self.range_error
        if self.fetched is not None:
            self.rows.append(self.fetched[0])
        self.fetched = self.blocks[0].popleft() if issue else None
        if issue and not self.blocks[0]:
            self.blocks.popleft()
        if self.looked_up is not None:
            self.blocks.append(self.looked_up)
        self.looked_up = deque(self.channels[offered["i"]]) if take else None
