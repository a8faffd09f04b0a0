"""Cycle-exact models of the stream blocks of hw/common, for lockstep comparison.

Each model has ``inputs`` and ``outputs``, the names of its streams, and three methods:

- ``look(offered, ready)``: the outputs of this cycle. ``offered[name]`` is the word at an input
  stream or None, ``ready[name]`` whether an output stream's reader is ready. Returns
  ``(ready, words, signals)``: for each input whether the block is ready, for each output the word
  offered or None, and the values of the block's other outputs.
- ``step(offered, ready)``: the clock edge that ends this cycle.
- ``reset()``: the clock edge with reset high.
"""
from collections import deque


def numbered(name, n):
    """The names of ``n`` streams in an array."""
    return [f"{name}__{k}" for k in range(n)]


class FIFO:
    """A queue; a word is taken if fewer than ``depth`` are inside at the start of the cycle."""
    inputs, outputs = ("i",), ("o",)

    def __init__(self, depth):
        self.depth = depth
        self.words = deque()

    def reset(self):
        self.words.clear()

    def look(self, offered, ready):
        level = len(self.words)
        return ({"i": level < self.depth}, {"o": self.words[0] if level else None},
                {"level": level})

    def step(self, offered, ready):
        space = len(self.words) < self.depth
        if self.words and ready["o"]:
            self.words.popleft()
        if space and offered["i"] is not None:
            self.words.append(offered["i"])


class Register(FIFO):
    """A queue of two words without a level."""
    def __init__(self):
        super().__init__(2)

    def look(self, offered, ready):
        return *super().look(offered, ready)[:2], {}


class Fork:
    """Remembers which outputs still miss the word at the input."""
    inputs = ("i",)

    def __init__(self, n):
        self.outputs = numbered("o", n)
        self.reset()

    def reset(self):
        self.missing = set(self.outputs)

    def look(self, offered, ready):
        taken = all(ready[name] for name in self.missing)
        words = {name: offered["i"] if name in self.missing else None for name in self.outputs}
        return {"i": taken}, words, {}

    def step(self, offered, ready):
        if offered["i"] is not None:
            self.missing = {name for name in self.missing if not ready[name]}
            if not self.missing:
                self.reset()


class Join:
    """No state: all words are there and the reader is ready, or nothing moves."""
    outputs = ("o",)

    def __init__(self, widths):
        self.widths = widths
        self.inputs = [f"i_{k}" for k in range(len(widths))]

    def reset(self):
        pass

    def look(self, offered, ready):
        word, offset = 0, 0
        for name, width in zip(self.inputs, self.widths, strict=True):
            if offered[name] is None:
                return dict.fromkeys(self.inputs, False), {"o": None}, {}
            word |= offered[name] << offset
            offset += width
        return dict.fromkeys(self.inputs, ready["o"]), {"o": word}, {}

    def step(self, offered, ready):
        pass


class Arbiter:
    """Round robin: an input that waits at the output stays, one that was served goes last."""
    outputs = ("o",)

    def __init__(self, n):
        self.inputs = numbered("i", n)
        self.reset()

    def reset(self):
        self.order = list(self.inputs)

    def chosen(self, offered):
        """The first input in order that has a word, or None."""
        return next((name for name in self.order if offered[name] is not None), None)

    def look(self, offered, ready):
        served = self.chosen(offered)
        word = None if served is None else offered[served]
        grant = 0 if served is None else 1 << self.inputs.index(served)
        return ({name: name == served and ready["o"] for name in self.inputs}, {"o": word},
                {"grant": grant})

    def step(self, offered, ready):
        served = self.chosen(offered)
        if served is not None:
            first = self.inputs.index(served) + ready["o"]
            self.order = self.inputs[first:] + self.inputs[:first]


class Crossbar:
    """One arbiter per output; a word is (dest << width) | data."""
    def __init__(self, inputs, outputs, width):
        self.width = width
        self.inputs, self.outputs = numbered("i", inputs), numbered("o", outputs)
        self.arbiters = [Arbiter(inputs) for _ in range(outputs)]

    def reset(self):
        for arbiter in self.arbiters:
            arbiter.reset()

    def _at(self, number, offered):
        data = (1 << self.width) - 1
        return {name: word & data if word is not None and word >> self.width == number else None
                for name, word in offered.items()}

    def look(self, offered, ready):
        taken, words = dict.fromkeys(self.inputs, False), {}
        for number, (name, arbiter) in enumerate(zip(self.outputs, self.arbiters, strict=True)):
            inputs, outputs, _ = arbiter.look(self._at(number, offered), {"o": ready[name]})
            words[name] = outputs["o"]
            taken = {k: taken[k] or inputs[k] for k in taken}
        return taken, words, {}

    def step(self, offered, ready):
        for number, (name, arbiter) in enumerate(zip(self.outputs, self.arbiters, strict=True)):
            arbiter.step(self._at(number, offered), {"o": ready[name]})
