# Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 4: the buffer controller.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .config import TNPUConfig
from .instruction import LOOPS, Bound, Init, Opcode
from .layouts import instruction_layout, issue_layout

POSITIONS = 2       # STREAM's loops over positions; the outer ones are passes


class BufferController(wiring.Component):
    """Walks the nest of a compute instruction: one issue per cycle, `gap` cycles after each group.

    An instruction given in cycle t has its first issue in t + 1, a STREAM in t + 3 + R·A; ``done``
    is high in its end (README, *Cycles of an instruction*), E + 1 cycles after the last issue or
    gap. In a STREAM the weights of pass p + 1 are asked for row by row, A cycles apart, from the
    cycle after pass p's first issue on (pass 0's as if a pass began in t).

    Parameters
    ----------
    cfg : TNPUConfig
    unit : "c" or "f"

    Members
    -------
    instruction : In(instruction_layout())
        Stable from ``start`` to ``done``.
    start : In(1)
        Not while ``busy``, but in the cycle of ``done`` + 1 at the earliest.
    issue : Out(issue_layout(cfg, unit))
        Of registers and the instruction.
    busy : Out(1)
        From the cycle after ``start`` to the one of ``done``.
    done : Out(1)
    """

    def __init__(self, cfg: TNPUConfig, unit: str):
        self.cfg, self.unit = cfg, unit
        super().__init__({
            "instruction": In(instruction_layout()),
            "start": In(1),
            "issue": Out(issue_layout(cfg, unit)),
            "busy": Out(1),
            "done": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        running = Signal()
        last_issue = self._nest(m, running)
        self._lead_in(m, running)
        self._take_weights(m)
        self._end(m, running, last_issue)
        return m

    def _lead_in(self, m, running):
        """Issues begin in the cycle after ``start``; a STREAM's once pass 0's weights are there."""
        rows = self.cfg.rows(self.unit)
        delay = 2 + rows * self.cfg.add_latency
        left = Signal(range(delay + 1))
        begun = Signal()                    # in the cycle before the first issue
        stream = self.instruction.opcode == Opcode.STREAM
        m.d.comb += begun.eq(Mux(self.start, ~stream, left == 1))
        with m.If(self.start):
            m.d.sync += left.eq(Mux(stream, delay, 0))
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(begun):
            m.d.sync += running.eq(1)

    def _nest(self, m, running):
        """When the nest issues, pauses, moves on; returns the last step of the instruction."""
        i = self.instruction
        index = [Signal(16, name=f"index_{k}") for k in range(LOOPS)]
        full = Signal(LOOPS)                # loop k is at its last turn
        below = Signal(LOOPS + 1, init=1)   # all loops below k are
        is_inner = Signal(LOOPS)
        group_ends, first, last = Signal(), Signal(), Signal()
        gap, step, ending = Signal(12), Signal(), Signal()
        m.d.comb += [full[k].eq(index[k] + 1 == i[f"count{k}"]) for k in range(LOOPS)]
        m.d.comb += [is_inner[k].eq(k < i.inner) for k in range(LOOPS)]
        m.d.comb += [below[k + 1].eq(below[k] & full[k]) for k in range(LOOPS)]
        m.d.comb += [
            below[0].eq(1),
            group_ends.eq((full | ~is_inner).all()),
            last.eq((full | is_inner).all()),
            first.eq(Cat((turn == 0) | inner
                         for turn, inner in zip(index, is_inner, strict=True)).all()),
            # The nest moves on after an issue inside a group, and at the end of the gap after it.
            step.eq(running & Mux(gap == 0, ~group_ends | (i.gap == 0), gap == i.gap)),
            ending.eq(step & full.all()),
        ]
        with m.If(running & (gap == 0)):
            m.d.sync += gap.eq(group_ends & (i.gap != 0))
        with m.Elif(running):
            m.d.sync += gap.eq(Mux(gap == i.gap, 0, gap + 1))
        with m.If(ending):
            m.d.sync += running.eq(0)
        self._walk(m, index, full, below, step)
        self._sums(m, running, gap, group_ends, first, last)
        self._number(m, index, step, group_ends)
        return ending

    def _walk(self, m, index, full, below, step):
        """Indices, addresses, coordinates: loaded by ``start``, moved by the loop that turns."""
        i, issue = self.instruction, self.issue
        row, col = Signal(signed(len(i.row))), Signal(signed(len(i.col)))
        self.at_s = Signal(len(i.s))
        walkers = {"x": issue.x, "w": Signal(len(i.w)), "s": self.at_s, "row": row, "col": col}
        turns = Signal(LOOPS)               # the loop that advances, one-hot
        m.d.comb += turns.eq(below[:LOOPS] & ~full)
        for k in range(LOOPS):
            with m.If(self.start):
                m.d.sync += index[k].eq(0)
            with m.Elif(step & below[k]):
                m.d.sync += index[k].eq(Mux(full[k], 0, index[k] + 1))
        for name, walker in walkers.items():
            jump = Signal(len(walker), name=f"jump_{name}")
            with m.Switch(turns):
                for k in range(LOOPS):
                    with m.Case(1 << k):
                        m.d.comb += jump.eq(i[f"jump_{name}{k}"])
            with m.If(self.start):
                m.d.sync += walker.eq(i[name])
            with m.Elif(step):
                m.d.sync += walker.eq(walker + jump)
        outside = Signal()
        m.d.comb += [
            outside.eq((row < 0) | (col < 0) | (row >= i.rows) | (col >= i.cols)),
            issue.x_zero.eq(outside & (i.bound == Bound.X)),
            issue.w_zero.eq(outside & (i.bound == Bound.W)),
            issue.w.eq(walkers["w"]),
        ]

    def _sums(self, m, running, gap, group_ends, first, last):
        """What the sum starts from, and whether and where it goes."""
        i, issue = self.instruction, self.issue
        pool, vector = i.opcode == Opcode.POOL, i.opcode == Opcode.VECTOR
        starts, from_word = Signal(), Signal()
        m.d.comb += [
            issue.index.eq(running & pool & (gap == 1)),
            issue.valid.eq(running & ((gap == 0) | issue.index)),
            starts.eq(first | (vector & (i.init == Init.ZERO))),
            issue.init.eq(Mux(starts, i.init, Init.KEEP)),
            from_word.eq(starts & (i.init == Init.WORD)),
            issue.s.eq(Mux(from_word, i.extra, self.at_s)),
            issue.write.eq((i.opcode != Opcode.LOCAL) & (~pool | group_ends)),
            issue.to.eq(self.at_s + Mux(issue.index, i.extra, 0)),
            issue.relu.eq(i.relu & last),
        ]

    def _number(self, m, index, step, group_ends):
        """Number of the group; of the issue in its group, or DRAIN's slot."""
        i, issue = self.instruction, self.issue
        nth, fresh = Signal.like(issue.slot), Signal()
        m.d.comb += [
            issue.slot.eq(Mux(i.opcode == Opcode.DRAIN, index[1], nth)),
            issue.row.eq(index[0]),
            issue.swap.eq(fresh & (i.opcode == Opcode.STREAM)),
            issue.first.eq(fresh & (i.opcode == Opcode.POOL)),
        ]
        with m.If(self.start):
            m.d.sync += [nth.eq(0), issue.group.eq(0), fresh.eq(1)]
        with m.Elif(step):
            m.d.sync += [nth.eq(Mux(group_ends, 0, nth + 1)), fresh.eq(group_ends),
                         issue.group.eq(issue.group + group_ends)]

    def _take_weights(self, m):
        """STREAM: words for the next pass's rows, A cycles apart, a pass ahead of the issues."""
        i, issue, cfg = self.instruction, self.issue, self.cfg
        rows = cfg.rows(self.unit)
        stream, ahead = Signal(), Signal(len(i.w))      # the next pass's first word
        index = [Signal(16, name=f"ahead_{k}") for k in range(LOOPS)]
        left, wait = Signal(range(rows + 1)), Signal(range(cfg.add_latency))
        row, more = Signal(range(max(2, rows))), Signal()
        take, final, jump = Signal(), Signal(), Signal(len(i.w))
        m.d.comb += [
            stream.eq(i.opcode == Opcode.STREAM),
            take.eq((left != 0) & (wait == 0)), final.eq(take & (left == 1)),
            issue.take.eq(take << row),
        ]
        with m.If(stream):
            m.d.comb += issue.w.eq(ahead + row)
        with m.If(take):
            m.d.sync += [left.eq(left - 1), row.eq(row + 1), wait.eq(cfg.add_latency - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        turn = Const(1, 1)
        for k in range(POSITIONS, LOOPS):
            full = Signal(name=f"ahead_full_{k}")
            m.d.comb += full.eq(index[k] + 1 == i[f"count{k}"])
            with m.If(turn & ~full):
                m.d.comb += jump.eq(i[f"jump_w{k}"])
            with m.If(final & turn):
                m.d.sync += index[k].eq(Mux(full, 0, index[k] + 1))
            below, turn = turn, Signal(name=f"ahead_turn_{k}")
            m.d.comb += turn.eq(below & full)
        with m.If(final):
            m.d.sync += [ahead.eq(ahead + jump), more.eq(~turn)]
        with m.If(stream & (self.start | (issue.valid & issue.swap & more))):
            m.d.sync += [left.eq(rows), row.eq(0), wait.eq(0)]
        with m.If(self.start):
            m.d.sync += [ahead.eq(i.w), more.eq(1), *(k.eq(0) for k in index)]

    def _end(self, m, running, last_step):
        """``done`` E + 1 cycles after the last issue or gap: its sum is then in S."""
        rest = self.cfg.min_pass(self.unit)             # E + 1
        left = Signal(range(rest + 1))
        m.d.comb += self.done.eq(left == 1)
        with m.If(last_step):
            m.d.sync += left.eq(rest)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        with m.Elif(self.done):
            m.d.sync += self.busy.eq(0)
