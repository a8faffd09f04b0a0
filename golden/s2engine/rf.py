"""Cycle-exact model of result forwarding, for lockstep comparison (see `golden.streams`)."""
from collections import deque


class RF:
    """One sum of its own, and a FIFO of two. Words are (value, tail).

    Plain inputs: ``first``, ``done`` (only while there is room) and ``sum``.
    """

    inputs, outputs = ("i",), ("o",)

    def __init__(self):
        self.reset()

    def reset(self):
        self.own = None
        self.passed = False         # the western PEs' sums of this kernel
        self.fifo = deque()

    def look(self, offered, ready):
        turn = offered["first"] or self.passed
        return ({"i": not turn and len(self.fifo) < 2},
                {"o": self.fifo[0] if self.fifo else None}, {"room": int(self.own is None)})

    def step(self, offered, ready):
        room, turn = len(self.fifo) < 2, offered["first"] or self.passed
        if self.fifo and ready["o"]:
            self.fifo.popleft()
        if room and turn and self.own is not None:
            self.fifo.append((self.own, 1))
            self.own, self.passed = None, False
        elif room and not turn and offered["i"] is not None:
            value, tail = offered["i"]
            self.fifo.append((value, 0))
            self.passed = bool(tail)
        if offered["done"]:
            self.own = offered["sum"]
