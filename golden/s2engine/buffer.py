"""Cycle-exact model of a bank of FB or WB, for lockstep comparison (see `golden.streams`)."""
from collections import deque
from typing import NamedTuple

from golden.s2engine.tokens import Token, pack_token
from hw.common.stationary.config import StationaryConfig

SECTIONS, AHEAD = 4, 4
NONE, ORDER, GROUP, KERNEL = range(4)


class Line(NamedTuple):
    """Tokens for a bank: ``close`` if they end a group, ``end`` if a section."""

    tokens: tuple[Token, ...]
    close: int = 0
    end: int = 0


def pack_line(line: Line, config: StationaryConfig, weights) -> int:
    """As `bank_line_layout` of ``hw/common/stationary/buffer.py``."""
    width = config.weight_bits if weights else config.feature_bits
    count = config.weights_per_line if weights else config.group
    word = sum(pack_token(token, config, weights) << n * width
               for n, token in enumerate(line.tokens))
    at = count * width
    bits = max(1, (count - 1).bit_length()) if count > 1 else 0
    return (word | len(line.tokens) - 1 << at | line.close << at + bits
            | line.end << at + bits + 1)


class Bank:
    """Words are `Line` and `Token`; ``replays``, ``groups``, ``kernels`` are plain inputs."""

    inputs, outputs = ("i",), ("o",)

    def __init__(self, depth, group, weights):
        self.depth, self.check = depth, Check(group, weights)
        self.reset()

    def reset(self):
        self.line = None
        self.left: list[Token] = []             # of the line
        self.held: deque = deque()              # (token, ends its section)
        self.at = 0                             # the next one to read, of those held
        self.time = 0                           # how often the section has been read
        self.coming, self.out = None, deque()
        self.full = 0                           # cycles in which the ring was full
        self.check.reset()

    def _writes(self):
        """The token that is written in this cycle, and whether it is its line's last."""
        if not self.left or len(self.held) == self.depth:
            return None, False
        last = len(self.left) == 1
        if last and self.line.end and sum(end for _, end in self.held) == SECTIONS:
            return None, False
        return self.left[0], last

    def look(self, offered, ready):
        _, last = self._writes()
        return ({"i": not self.left or last}, {"o": self.out[0] if self.out else None},
                {"error": self.check.error,
                 "empty": int(not (self.held or self.left or self.out or self.coming))})

    def step(self, offered, ready):
        token, last = self._writes()
        inside = len(self.out) + (self.coming is not None)
        if ready["o"] and self.out:
            self.out.popleft()
        if self.coming is not None:
            self.out.append(self.coming)
        self.coming = None
        self.full += len(self.held) == self.depth
        if self.at < len(self.held) and inside < AHEAD:
            self._read(offered["replays"])
        if token is not None:
            ends = bool(last and self.line.end)
            self.held.append((token, ends))
            self.check.enter(token, last, self.line, offered["groups"], offered["kernels"])
            del self.left[0]
        if offered["i"] is not None and not self.left:
            self.line, self.left = offered["i"], list(offered["i"].tokens)

    def _read(self, replays):
        self.coming, ends = self.held[self.at]
        if self.time == replays - 1:
            self.held.popleft()
            self.time = 0 if ends else self.time
        elif ends:
            self.at, self.time = 0, self.time + 1
        else:
            self.at += 1


class Check:
    """Judges tokens in the order in which they enter; the first fault stays."""

    def __init__(self, group, weights):
        self.size, self.weights = group, weights
        self.reset()

    def reset(self):
        self.error, self.group, self.groups, self.kernels = NONE, [], 0, 0

    def enter(self, token, line_end, line, groups, kernels):
        """One token; ``groups`` of a kernel, ``kernels`` of a section."""
        self.group.append(token)
        ended = bool(token.eog)
        if self.weights:
            whole = ended and self.groups + 1 == groups
            final = whole and self.kernels + 1 == kernels
            kernel = bool(token.eok) != whole or bool(line_end and line.end) != final
            self.groups = 0 if whole else self.groups + ended
            self.kernels = 0 if final else self.kernels + whole
        else:
            kernel = False
        if self.error == NONE:
            if not self._in_order():
                self.error = ORDER
            elif line_end and not ended and (line.close or line.end):
                self.error = GROUP
            elif kernel:
                self.error = KERNEL
        if ended:
            self.group = []

    def _in_order(self):
        """The newest token may stand where it does."""
        *before, token = self.group
        tagged = 0
        for other in reversed(before):
            if not other.tag:
                break
            tagged += 1
        after_low = tagged % 2 == 1
        if token.offset >= self.size:
            return False
        if after_low:
            return bool(token.tag) and token.offset == before[-1].offset
        if before and token.offset <= before[-1].offset:
            return False
        if token.tag:
            return not token.eog
        return token.value != 0 or (not before and bool(token.eog))
