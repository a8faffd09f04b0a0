"""When does everything in the array happen? A max-plus recurrence over tokens, exact.

Which tokens a DS compares and consumes follows from the data alone; only *when* depends on FIFOs,
MAC and RF. So each push, step, multiplication and result has one time, the latest of a few
earlier ones (``hw/s2engine/README.md`` has them). They are computed group by group, and in a group
by rank (``ranks.py``): offset by offset, in each the halves of 16-bit values first, at last the
step that ends the group. Whatever a time depends on has a smaller rank, or the same one further up
or left. Here is what the array remembers.

Groups come as bit masks over the offsets. Depth 0 stands for an infinite FIFO.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from golden.s2engine.steps import NEVER

FB, CHAIN, EMPTY = range(3)         # where a CE takes a group from

# `Array.tally`
STEPS, FB_GROUPS, FB_TOKENS, SENT_TOKENS, LAST_RESULT, COUNTS = range(6)

# masks of a group, by offset: a value is there; it has 16 bits; its low half (an 8-bit value) is
# not 0; its high half is not 0
THERE, WIDE, LOW, HIGH, MASKS = range(5)


class Array(NamedTuple):
    """The array's state. R rows, C columns; times are cycles. Create with `array`."""

    step: np.ndarray        # int32 [R, C]: the last step
    push_w: np.ndarray      # int32 [R + 2, C]: the last push of W; row 0: into the first row
    push_f: np.ndarray      # int32 [R, C + 2]
    past_w: np.ndarray      # int32 [R + 2, C * w_depth]: the last pushes
    past_f: np.ndarray      # int32 [R, f_depth, C + 2]
    at_w: np.ndarray        # uint32 [C]: place in past_w
    at_f: np.ndarray        # int64 [R]
    entry: np.ndarray       # uint32 [R, C]: place of the next WF entry in the rings below
    taken: np.ndarray       # int32 [R, C, wf_depth + 1]: when the MAC took the entry
    waits: np.ndarray       # int32 [R, C, wf_depth + 1]: till when RF was full for a last entry
    summed: np.ndarray      # int32 [R, C]: the last accumulation
    left: np.ndarray        # int32 [R, C]: the last result left the RF's own register
    rf: np.ndarray          # int32 [R, C + 1, 3]: last word put in; the two before last, on the
    #                         right (the last column's right is the edge)
    kept_at: np.ndarray     # int32 [R + 1, hold]: holding FIFOs: token put in
    kept_till: np.ndarray   # int32 [R + 1, hold]: ... and taken out
    kept: np.ndarray        # int64 [R + 1, 2]: places of the next token to put in, to take out
    row: np.ndarray         # int32 [2, C]: scratch: the steps of a row, the pushes behind them
    mask: np.ndarray        # int32 [2, C]: columns that consume W in a rank, as -1; all columns
    columns: np.ndarray     # uint32 [4, C]: lists of columns, see `_rank`; 3: of a row's pairs
    rows: np.ndarray        # int64 [R]: ones: all rows
    tally: np.ndarray       # int64 [COUNTS]
    busy: np.ndarray        # int32 [R, C]: multiplications by PE
    starved: np.ndarray     # int32 [R, C]: cycles without a W
    blocked: np.ndarray     # int32 [R, C]: cycles with the WF-FIFO full
    drained: np.ndarray     # int32 [R, C]: ... because RF is full
    marks: np.ndarray       # int64 [3]: most words that a W-, F-, WF-FIFO held
    setting: np.ndarray     # int64: below


W_DEPTH, F_DEPTH, WF_DEPTH, RATIO, OFFSETS, MARK = range(6)


def array(config: Any, depths: tuple[int, int, int] | None = None,
          ratio: int | None = None, marks: bool = False) -> Array:
    """An empty array in cycle 0. `depths`: other FIFO depths (0: infinite), `ratio`: another.
    `marks`: find the FIFOs' high-water marks (not of infinite ones)."""
    w, f, wf = depths or (config.w_depth, config.f_depth, config.wf_depth)
    r, c = config.rows, config.cols

    def never(*shape: int) -> np.ndarray:
        return np.full(shape, NEVER, np.int32)

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.int32)
    return Array(
        step=zeros(r, c) - 1, push_w=never(r + 2, c), push_f=never(r, c + 2),
        past_w=never(r + 2, c * max(w, 1)), past_f=never(r, max(f, 1), c + 2),
        at_w=np.arange(c, dtype=np.uint32) * max(w, 1), at_f=np.zeros(r, np.int64),
        entry=np.zeros((r, c), np.uint32), taken=never(r, c, wf + 1), waits=never(r, c, wf + 1),
        summed=zeros(r, c), left=never(r, c),
        rf=never(r, c + 1, 3), kept_at=never(r + 1, config.hold_depth),
        kept_till=never(r + 1, config.hold_depth), kept=np.zeros((r + 1, 2), np.int64),
        row=zeros(2, c), mask=zeros(2, c) - 1, columns=np.zeros((4, c), np.uint32),
        rows=np.ones(r, np.int64),
        tally=np.zeros(COUNTS, np.int64), busy=zeros(r, c), starved=zeros(r, c),
        blocked=zeros(r, c), drained=zeros(r, c), marks=np.zeros(3, np.int64),
        setting=np.array([w, f, wf, ratio or config.ratio, config.group, marks], np.int64))


CAUSES = ("multiply", "select", "starved_w", "starved_f", "drain", "blocked")


def causes(a: Array, cycles: int) -> dict[str, int]:
    """PE-cycles by cause, of a run of so many cycles; they sum to PEs x cycles."""
    pairs, stepping = int(a.busy.sum()), int(a.tally[STEPS])
    out = {"multiply": pairs, "select": stepping - pairs, "starved_w": int(a.starved.sum()),
           "starved_f": 0, "drain": int(a.drained.sum()), "blocked": int(a.blocked.sum())}
    until_last = int((a.step.astype(np.int64) + 1).sum())
    out["starved_f"] = until_last - sum(out.values())       # what is left of the time
    out["starved_w"] += a.step.size * cycles - until_last   # after the last step
    return out
