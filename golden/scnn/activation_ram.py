"""Cycle-exact model of an activation RAM, for lockstep comparison (see `golden.streams`).

A write is an integer packed as in ``hw/scnn/activation_ram.py``: valid, has_row, row, last,
channel.
"""
from hw.scnn.config import SCNNConfig


class ActivationRAM:
    """Rows in a list, channels in a dictionary; without streams."""

    inputs, outputs = (), ()

    def __init__(self, config: SCNNConfig):
        self.config = config
        self.row_width = config.mults_i * config.element_bits
        self.reset()

    def reset(self):
        self.rows, self.table = [], {}
        self.start, self.overflow = 0, False
        self.row = self.entry = None        # what the read ports show, if it is defined

    def look(self, offered, ready):
        signals = {"overflow": self.overflow, "bitmap": sum(1 << c for c in self.table)}
        if self.row is not None:
            signals["row_data"] = self.row
        if self.entry is not None:
            start, count = self.entry
            signals["table_data"] = start | count << self.config.row_bits
        return {}, {}, signals

    def step(self, offered, ready):
        row = offered["row_addr"]
        self.row = self.rows[row] if row < len(self.rows) else None
        self.entry = self.table.get(offered["table_addr"])
        if offered["clear"]:
            row, entry = self.row, self.entry
            self.reset()
            self.row, self.entry = row, entry       # reads go on
        elif offered["write"] & 1:
            self._write(offered["write"])

    def _write(self, write):
        has_row, row = write >> 1 & 1, write >> 2 & (1 << self.row_width) - 1
        last, channel = write >> 2 + self.row_width & 1, write >> 3 + self.row_width
        if has_row and len(self.rows) == self.config.ram_rows:
            self.overflow = True
        elif has_row:
            self.rows.append(row)
        if last:
            if len(self.rows) > self.start:
                self.table[channel] = self.start, len(self.rows) - self.start
            self.start = len(self.rows)
