"""Runs a program's image instruction by instruction: what the hardware leaves in memory.

The second opinion on `compile`: tensors here come from the queues in the image alone. Each unit's
executors take instructions when their tokens are there, one whole instruction at a time, so the
order is one that the hardware could have.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from golden.jit import njit
from golden.tnpu.arithmetic import canonical
from golden.tnpu.assemble import instruction_beats, read_queue
from golden.tnpu.nest import walk
from hw.tnpu.config import TNPUConfig
from hw.tnpu.instruction import Bound, Buffer, Init, Op, Opcode, Operand


class Deadlock(RuntimeError):
    """Nothing can go on, and instructions are left."""


class Hazard(RuntimeError):
    """An instruction returns to a sum that is still in the adder."""


class Unit:
    """One unit's buffers and what its instructions do to them."""

    def __init__(self, cfg: TNPUConfig, unit: str) -> None:
        self.cfg, self.unit, self.rows = cfg, unit, cfg.rows(unit)
        x, w, s = cfg.words(unit)
        lanes = cfg.lanes
        self.x = np.zeros((x, lanes), np.float32)
        self.w = np.zeros((w, lanes), np.float32)
        self.s = np.zeros((2, s, lanes), np.float32)
        self.slots = np.zeros((cfg.slots, self.rows, lanes), np.float32)
        self.nans = 0

    def buffer(self, which: int) -> np.ndarray:
        return (self.x, self.w, self.s[0], self.s[1])[which]

    def run(self, f: dict[str, int]) -> None:
        """A compute instruction."""
        nest = walk(f)
        if f["opcode"] in (Opcode.STREAM, Opcode.VECTOR):
            self._check_distance(f, nest["s"])
        with np.errstate(all="ignore"):
            getattr(self, f"_{Opcode(f['opcode']).name.lower()}")(f, nest, self.s[f["bank"]])

    def _check_distance(self, f: dict[str, int], s: np.ndarray) -> None:
        """Between two issues to one sum there are `min_pass` cycles: the hardware does not wait."""
        groups, issues = s.shape
        cycle = np.add.outer(np.arange(groups) * (issues + f["gap"]), np.arange(issues)).ravel()
        order = np.argsort(s.ravel(), kind="stable")
        again = np.diff(s.ravel()[order]) == 0
        apart = np.diff(cycle[order])[again]
        if len(apart) and apart.min() < self.cfg.min_pass(self.unit):
            raise Hazard(f"{Opcode(f['opcode']).name}: a sum is met again after {apart.min()} "
                         f"cycles, {self.cfg.min_pass(self.unit)} are needed")

    def _w_words(self, f: dict[str, int], at: np.ndarray) -> np.ndarray:
        """Words of W, transposed where asked."""
        lanes = self.cfg.lanes
        if not f["transpose"]:
            return self.w[at]
        blocks = self.w.reshape(-1, lanes, lanes)
        return blocks[at // lanes, :, at % lanes]

    def _guard(self, f: dict[str, int], nest: dict[str, np.ndarray], bound: Bound) -> np.ndarray:
        """Where the operand is read, and not +0.0."""
        if f["bound"] != bound:
            return np.ones(nest["row"].shape, bool)
        return ((nest["row"] >= 0) & (nest["row"] < f["rows"])
                & (nest["col"] >= 0) & (nest["col"] < f["cols"]))

    def _start(self, f: dict[str, int], s: np.ndarray, at: np.ndarray, group: int) -> np.ndarray:
        """The sums that a group starts from; VECTOR's +0.0 holds in all groups."""
        if f["init"] == Init.KEEP or (group and f["opcode"] != Opcode.VECTOR):
            return s[at]
        if f["init"] == Init.ZERO:
            return np.zeros((len(at), self.cfg.lanes), np.float32)
        return np.broadcast_to(s[f["extra"]] + np.float32(0), (len(at), self.cfg.lanes)).copy()

    def _write(self, f: dict[str, int], s: np.ndarray, at: np.ndarray, values: np.ndarray,
               last: bool) -> None:
        canonical(values)
        self.nans += int(np.isnan(values).sum())
        if f["relu"] and last:
            values = np.where(values > 0, values, np.where(np.isnan(values), values, 0))
        s[at] = values

    def _stream(self, f: dict[str, int], nest: dict[str, np.ndarray], s: np.ndarray) -> None:
        read = self._guard(f, nest, Bound.X)
        groups = len(read)
        for g in range(groups):
            x = np.zeros((read.shape[1], self.rows), np.float32)
            x[read[g]] = self.x.reshape(-1, self.rows)[nest["x"][g][read[g]]]
            weights = self._w_words(f, nest["w"][g, 0] + np.arange(self.rows))
            sums = self._start(f, s, nest["s"][g], g)
            _chain(sums, x, np.ascontiguousarray(weights))
            self._write(f, s, nest["s"][g], sums, g == groups - 1)

    def _local(self, f: dict[str, int], nest: dict[str, np.ndarray], s: np.ndarray) -> None:
        read = self._guard(f, nest, Bound.W)
        groups, issues = read.shape
        w = np.zeros((groups * issues, self.cfg.lanes), np.float32)
        flat = read.reshape(-1)
        w[flat] = self._w_words(f, nest["w"].reshape(-1)[flat])
        x = nest["x"].reshape(-1)
        if f["operand"] == Operand.IMM:
            a = np.full((len(x), self.rows), np.uint32(f["imm"]), np.uint32).view(np.float32)
        elif f["operand"] == Operand.ROWS:
            a = self.x.reshape(-1, self.rows)[x]
        else:
            a = np.repeat(self.x.reshape(-1)[x], self.rows).reshape(-1, self.rows)
        if f["init"] == Init.ZERO:
            self.slots[:issues] = 0
        _products(self.slots, np.ascontiguousarray(a), w, issues)

    def _drain(self, f: dict[str, int], nest: dict[str, np.ndarray], s: np.ndarray) -> None:
        sums = self._start(f, s, nest["s"][0], 0)
        slots, rows = f["count1"], f["count0"]
        sums += self.slots[:slots, :rows].reshape(slots * rows, -1)
        self._write(f, s, nest["s"][0], sums, True)

    def _vector(self, f: dict[str, int], nest: dict[str, np.ndarray], s: np.ndarray) -> None:
        op, groups = Op(f["op"]), len(nest["s"])
        for g in range(groups):
            at = nest["s"][g]
            sums = self._start(f, s, at, g)
            if op is Op.CLEAR:
                sums = np.zeros_like(sums)
            else:
                w = self._w_words(f, nest["w"][g])
                sums = self._lane(f, op, sums, w, nest["x"][g], g)
            self._write(f, s, at, sums, g == groups - 1)

    def _lane(self, f: dict[str, int], op: Op, sums: np.ndarray, w: np.ndarray, x: np.ndarray,
              group: int) -> np.ndarray:
        if op is Op.MASK:
            return np.where(w > 0, sums, np.float32(0)).astype(np.float32)
        if op is Op.ROUTE:
            words = self.x[x // self.cfg.x_units(self.unit)]
            return np.where(words.view(np.uint32) == group, sums + w, sums)
        a = {Operand.IMM: lambda: np.uint32(f["imm"]).view(np.float32),
             Operand.ROWS: lambda: self.x.reshape(-1, self.rows)[x, :1],
             Operand.VALUE: lambda: self.x.reshape(-1)[x][:, None]}[Operand(f["operand"])]()
        s, b = (sums, w) if op is Op.AXPY else (w, sums)
        return (s + (a * b).astype(np.float32)).astype(np.float32)

    def _pool(self, f: dict[str, int], nest: dict[str, np.ndarray], s: np.ndarray) -> None:
        w = self._w_words(f, nest["w"].reshape(-1)).reshape(*nest["w"].shape, -1)
        best, chosen = w[:, 0].copy(), np.zeros((len(w), self.cfg.lanes), np.uint32)
        for n in range(1, w.shape[1]):
            more = w[:, n] > best
            best, chosen = np.where(more, w[:, n], best), np.where(more, np.uint32(n), chosen)
        self._write(f, s, nest["s"][:, -1], best, False)
        s[nest["s"][:, -1] + f["extra"]] = chosen.view(np.float32)


@njit
def _chain(sums, x, weights):
    """sums[p, c] += Σ x[p, r] · weights[r, c], row after row."""
    for p in range(len(sums)):
        for r in range(len(weights)):
            for c in range(sums.shape[1]):
                sums[p, c] += x[p, r] * weights[r, c]


@njit
def _products(slots, a, w, issues):
    """slots[i, r, c] += a[n, r] · w[n, c] for n = i, i + issues, …"""
    for n in range(len(a)):
        slot = slots[n % issues]
        for r in range(slot.shape[0]):
            for c in range(slot.shape[1]):
                slot[r, c] += a[n, r] * w[n, c]


class Machine:
    """Both units, the semaphores, the memory (uint8 from `base` on)."""

    def __init__(self, cfg: TNPUConfig, memory: np.ndarray, base: int) -> None:
        self.cfg, self.memory, self.base = cfg, memory, base
        self.units = {unit: Unit(cfg, unit) for unit in "cf"}

    def run(self, queues: dict[str, tuple[int, int]], offset: int = 0) -> None:
        """Queues as (address, instructions). Raises Deadlock."""
        semaphores = np.zeros(32, np.int64)
        size = instruction_beats(self.cfg.memory_bits) * self.cfg.word_bytes
        waiting: list[tuple[Unit, deque[dict[str, int]]]] = []
        for unit, (at, count) in queues.items():
            body = self.memory[at - self.base:at - self.base + count * size]
            words = read_queue(body, self.cfg.memory_bits)
            transfers = [w for w in words if w["opcode"] in (Opcode.LOAD, Opcode.STORE)]
            computes = [w for w in words if w["opcode"] not in (Opcode.LOAD, Opcode.STORE)]
            waiting += [(self.units[unit], deque(transfers)), (self.units[unit], deque(computes))]
        while any(queue for _, queue in waiting):
            moved = False
            for unit_, queue in waiting:
                while queue and self._ready(semaphores, queue[0]["wait"]):
                    word = queue.popleft()
                    self._step(unit_, word, offset)
                    for n in range(32):
                        semaphores[n] += (word["signal"] >> n & 1) - (word["wait"] >> n & 1)
                    moved = True
            if not moved:
                raise Deadlock(f"{[len(queue) for _, queue in waiting]} instructions are left")

    @staticmethod
    def _ready(semaphores: np.ndarray, wait: int) -> bool:
        return all(semaphores[n] > 0 for n in range(32) if wait >> n & 1)

    def _step(self, unit: Unit, f: dict[str, int], offset: int) -> None:
        if f["opcode"] not in (Opcode.LOAD, Opcode.STORE):
            unit.run(f)
            return
        word, buffer = self.cfg.word_bytes, unit.buffer(Buffer(f["buffer"]))
        stride = f["stride"] - (f["stride"] >> 31 << 32)
        for chunk in range(f["chunks"]):
            at = f["address"] + chunk * stride + offset * f["relative"] - self.base
            to = (f["word"] + chunk * f["word_stride"]) & 0xFFFF
            if to + f["beats"] > len(buffer):
                raise ValueError(f"RANGE: {Buffer(f['buffer']).name} words {to} to "
                                 f"{to + f['beats']}")
            memory = self.memory[at:at + f["beats"] * word].view(np.float32)
            if f["opcode"] == Opcode.LOAD:
                buffer[to:to + f["beats"]] = memory.reshape(-1, self.cfg.lanes)
            else:
                memory[:] = buffer[to:to + f["beats"]].reshape(-1)
