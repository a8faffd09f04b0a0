"""Cycle-exact model of the MAC, for lockstep comparison (see `golden.streams`)."""
from golden.s2engine.tokens import wrap


class MAC:
    """Two stages, which move in enabled cycles: the entry taken, and the sum.

    Words are `Pair`; ``enable`` and ``room`` are plain inputs.
    """

    inputs, outputs = ("i",), ()

    def __init__(self, acc_bits):
        self.acc_bits = acc_bits
        self.reset()

    def reset(self):
        self.entry = None
        self.total = 0

    def stuck(self, room):
        """The sum waits for room."""
        return bool(self.entry and self.entry.last and not room)

    def look(self, offered, ready):
        stuck = self.stuck(offered["room"])
        done = bool(offered["enable"] and self.entry and self.entry.last and not stuck)
        signals = {"done": int(done), "stuck": int(stuck)}
        if done:
            signals["sum"] = self._sum() & (1 << self.acc_bits) - 1
        return {"i": bool(offered["enable"]) and not stuck}, {}, signals

    def _sum(self):
        return wrap(self.total + self.entry.product(), self.acc_bits)

    def step(self, offered, ready):
        if not offered["enable"] or self.stuck(offered["room"]):
            return
        if self.entry:
            self.total = 0 if self.entry.last else self._sum()
        self.entry = offered["i"]
