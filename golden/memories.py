"""Cycle-exact models of hw/common/memory, for lockstep comparison (see golden/streams.py)."""


class Banked:
    """Rows of each bank; a read of the row being written gives the old word."""
    inputs, outputs = (), ()

    def __init__(self, banks, depth, registered):
        self.depth, self.registered = depth, registered
        self.rows = [[0] * depth for _ in range(banks)]
        self.data = [None] * banks              # of registered reads; None: nothing read yet

    def reset(self):
        raise NotImplementedError("a reset changes no row, and a write goes on during it")

    def look(self, offered, ready):
        signals = {}
        for k, rows in enumerate(self.rows):
            address = offered.get(f"read__{k}__addr", 0)
            if self.registered:
                word = self.data[k]
            else:
                word = rows[address] if address < self.depth else None
            if word is not None:
                signals[f"read__{k}__data"] = word
        return {}, {}, signals

    def step(self, offered, ready):
        for k, rows in enumerate(self.rows):
            if offered[f"read__{k}__en"]:
                address = offered.get(f"read__{k}__addr", 0)
                self.data[k] = rows[address] if address < self.depth else None
            address = offered.get(f"write__{k}__addr", 0)
            if offered[f"write__{k}__en"] and address < self.depth:
                rows[address] = offered[f"write__{k}__data"]


class DoubleBuffer:
    """Two sets of rows; the reads of a cycle come from the one that is not being filled in it."""
    inputs, outputs = (), ()

    def __init__(self, banks, depth, registered):
        self.reader = Banked(banks, depth, registered)
        self.halves = [[[0] * depth for _ in range(banks)] for _ in range(2)]
        self.filling = 0

    def reset(self):
        raise NotImplementedError("a reset changes no row, and a write goes on during it")

    def look(self, offered, ready):
        self.reader.rows = self.halves[1 - self.filling]
        signals = self.reader.look(offered, ready)[2]
        return {}, {}, signals | {"filling": self.filling}

    def step(self, offered, ready):
        writer = Banked(len(self.halves[0]), self.reader.depth, True)
        writer.rows = self.halves[self.filling]
        writer.step(offered, ready)
        quiet = {name: 0 for name in offered if name.endswith("__en") and name.startswith("write")}
        self.reader.rows = self.halves[1 - self.filling]
        self.reader.step({**offered, **quiet}, ready)
        self.filling ^= offered["swap"]
