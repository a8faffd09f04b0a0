"""Banks of FB or WB, cycle by cycle, compiled: `golden.s2engine.buffer` for the cycle model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import borrowed
from golden.s2engine.buffer import AHEAD, SECTIONS

# A bank's registers: the line (next token, those left, whether it ends a section); the ring; the
# section; the token on its way out, the tokens at the output
(AT, LEFT, ENDS, LEVEL, UNREAD, HEAD, TAIL, START, REPLAY, SEC_HEAD, SEC_LEVEL, COMING, OUT_HEAD,
 OUT_LEVEL, INSIDE, REGISTERS) = range(16)
NONE = -1


class Banks(NamedTuple):
    """State of banks of one kind."""

    s: np.ndarray           # int64 [banks, REGISTERS]
    ring: np.ndarray        # int16 [banks, depth]
    sections: np.ndarray    # int64 [banks, SECTIONS]: where each ends
    out: np.ndarray         # int16 [banks, AHEAD]
    ready: np.ndarray       # int64 [banks]: a line can be taken in this cycle
    level: np.ndarray       # int64 [banks]: tokens at the output at the start of the cycle
    token: np.ndarray       # int16 [banks]: the first of them


def banks(count: int, depth: int) -> Banks:
    """All empty."""
    s = np.zeros((count, REGISTERS), np.int64)
    s[:, COMING] = NONE
    return Banks(s, np.zeros((count, depth), np.int16), np.zeros((count, SECTIONS), np.int64),
                 np.zeros((count, AHEAD), np.int16), np.zeros(count, np.int64),
                 np.zeros(count, np.int64), np.zeros(count, np.int16))


@borrowed
def _writes(b, k):
    s = b.s[k]
    if s[LEFT] == 0 or s[LEVEL] == b.ring.shape[1]:
        return False
    return not (s[LEFT] == 1 and s[ENDS] and s[SEC_LEVEL] == SECTIONS)


@borrowed
def look(b):
    """What the banks offer and take in this cycle: fills ready, level, token."""
    for k in range(len(b.s)):
        s = b.s[k]
        b.ready[k] = s[LEFT] == 0 or (s[LEFT] == 1 and _writes(b, k))
        b.level[k] = s[OUT_LEVEL]
        b.token[k] = b.out[k, s[OUT_HEAD]]


@borrowed
def step(b, replays, takes, tokens, target, begin, count, ends):
    """The edge that ends a cycle. `takes`: by bank, its token is taken. The bank `target` takes a
    line: tokens [begin, begin + count)."""
    depth = b.ring.shape[1]
    for k in range(len(b.s)):
        s = b.s[k]
        write = _writes(b, k)
        issue = s[UNREAD] > 0 and s[INSIDE] < AHEAD
        end = issue and s[SEC_LEVEL] > 0 and s[HEAD] == b.sections[k, s[SEC_HEAD]]
        final = s[REPLAY] == replays - 1
        if takes[k]:
            s[OUT_HEAD] = (s[OUT_HEAD] + 1) % AHEAD
            s[OUT_LEVEL] -= 1
        if s[COMING] != NONE:
            b.out[k, (s[OUT_HEAD] + s[OUT_LEVEL]) % AHEAD] = s[COMING]
            s[OUT_LEVEL] += 1
        s[COMING] = b.ring[k, s[HEAD]] if issue else NONE
        s[INSIDE] += issue - takes[k]
        s[LEVEL] += write
        if issue and final:
            s[LEVEL] -= 1
        s[UNREAD] = s[LEVEL] if end and not final else s[UNREAD] + write - issue
        if issue:
            after = s[HEAD] + 1 if s[HEAD] + 1 < depth else 0
            s[HEAD] = s[START] if end and not final else after
            if end:
                s[REPLAY] = 0 if final else s[REPLAY] + 1
                if final:
                    s[START] = after
                    s[SEC_HEAD] = (s[SEC_HEAD] + 1) % SECTIONS
                    s[SEC_LEVEL] -= 1
        if write:
            b.ring[k, s[TAIL]] = tokens[s[AT]]
            s[AT] += 1
            s[LEFT] -= 1
            if s[LEFT] == 0 and s[ENDS]:
                b.sections[k, (s[SEC_HEAD] + s[SEC_LEVEL]) % SECTIONS] = s[TAIL]
                s[SEC_LEVEL] += 1
            s[TAIL] = s[TAIL] + 1 if s[TAIL] + 1 < depth else 0
        if k == target:
            s[AT], s[LEFT], s[ENDS] = begin, count, ends
