"""Cycle-exact model of dynamic selection, for lockstep comparison (see `golden.streams`).

The steps follow from the tokens alone (`group_steps`); time decides only when each happens.
"""
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from golden.s2engine.tokens import Pair, Token


class Step(NamedTuple):
    """One step: which tokens it consumes, and the entry that it gives WF-FIFO."""

    w: bool
    f: bool
    entry: Pair | None


class Half(NamedTuple):
    """A token as an operand."""

    offset: int
    operand: int
    low: bool
    high: bool


def groups(tokens: Iterable[Token]) -> list[list[Token]]:
    """The tokens of a flow, cut after each EOG."""
    cut: list[list[Token]] = [[]]
    for token in tokens:
        cut[-1].append(token)
        if token.eog:
            cut.append([])
    return cut[:-1]


def halves(group: list[Token]) -> list[Half]:
    """The operands of a group: of two tagged tokens with the same offset, the first is low."""
    found: list[Half] = []
    for token in group:
        high = bool(found) and found[-1].offset == token.offset
        low = bool(token.tag) and not high
        operand = token.value - (256 if token.value > 127 and not low else 0)
        found.append(Half(token.offset, operand, low, high))
    return found


def group_steps(w_tokens: list[Token], f_tokens: list[Token]) -> Iterator[Step]:
    """The steps of one group: |W ∪ F| or one less, as long as all values have 8 bits."""
    w, f = halves(w_tokens), halves(f_tokens)
    i = j = 0
    while True:
        a, b = w[i], f[j]
        end_w, end_f = i == len(w) - 1, j == len(f) - 1
        entry = _entry(a, b)
        if a.offset == b.offset and (a.low or b.low):
            yield Step(not b.low, b.low, entry)
            i, j = i + (not b.low), j + b.low
            continue
        if a.offset == b.offset and a.high and b.high:
            yield Step(False, False, entry)
            entry = _entry(a, f[j - 1])
        if end_w and end_f:
            last = w_tokens[-1].eok
            yield Step(True, True, (entry or Pair())._replace(last=1) if last else entry)
            return
        move_w = not end_w and (a.offset <= b.offset or end_f)
        move_f = not end_f and (b.offset <= a.offset or end_w)
        yield Step(move_w, move_f, entry)
        i, j = i + move_w, j + move_f


def _entry(w: Half, f: Half) -> Pair | None:
    """What aligned operands give WF-FIFO: nothing if one is zero, as placeholders are."""
    if w.offset != f.offset or not w.operand or not f.operand:
        return None
    return Pair(w.operand, f.operand, w.high + f.high, 1)


def flow_steps(w_tokens: list[Token], f_tokens: list[Token]) -> list[Step]:
    """The steps of two whole flows with the same number of groups."""
    return [step for w, f in zip(groups(w_tokens), groups(f_tokens), strict=True)
            for step in group_steps(w, f)]


class DS:
    """Dynamic selection over flows that are known beforehand.

    The tokens that are offered must be those of the flows, in order; words are `Token` and `Pair`.
    Room in a FIFO is judged at the start of the cycle.
    """

    inputs, outputs = ("w_i", "f_i"), ("w_o", "f_o", "pair")

    def __init__(self, w_tokens, f_tokens, depths):
        self.depths = dict(zip(("w", "f", "pair"), depths, strict=True))
        self.flows = w_tokens, f_tokens
        self.reset()

    def reset(self):
        self.steps = deque(flow_steps(*self.flows))
        self.fifos = {name: deque() for name in self.depths}
        self.valid = {"w": False, "f": False}           # the registers hold tokens
        self.high_water = dict.fromkeys(self.depths, 0)

    def room(self, name):
        """The FIFO has room at the start of the cycle."""
        return len(self.fifos[name]) < self.depths[name]

    def present(self):
        """The step that happens in this cycle, or None."""
        if not (self.valid["w"] and self.valid["f"]):
            return None
        step = self.steps[0]
        return None if step.entry and not self.room("pair") else step

    def _free(self):
        """Whether each register is empty or consumed in this cycle."""
        step = self.present()
        return {name: not self.valid[name] or bool(step and getattr(step, name))
                for name in ("w", "f")}

    def look(self, offered, ready):
        free, step = self._free(), self.present()
        heads = {name: fifo[0] if fifo else None for name, fifo in self.fifos.items()}
        pairs = bool(step and step.entry and step.entry.pair)
        return ({"w_i": self.room("w"), "f_i": self.room("f")},
                {"w_o": heads["w"] if free["w"] else None,
                 "f_o": heads["f"] if free["f"] else None, "pair": heads["pair"]},
                {"multiply": int(pairs), "select": int(step is not None and not pairs),
                 "w_valid": int(self.valid["w"]), "f_valid": int(self.valid["f"])})

    def step(self, offered, ready):
        free, step = self._free(), self.present()
        arrived = {"w": offered["w_i"], "f": offered["f_i"], "pair": step and step.entry}
        space = {name: self.room(name) for name in self.fifos}
        for name in ("w", "f"):
            push = bool(self.fifos[name] and free[name] and ready[f"{name}_o"])
            self.valid[name] = push or not free[name]
            if push:
                self.fifos[name].popleft()
        if self.fifos["pair"] and ready["pair"]:
            self.fifos["pair"].popleft()
        for name, word in arrived.items():
            if word is not None and space[name]:
                self.fifos[name].append(word)
            self.high_water[name] = max(self.high_water[name], len(self.fifos[name]))
        if step:
            self.steps.popleft()
