"""What a PU writes to S, issue by issue (``hw/tnpu/README.md``, "PU")."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from golden.tnpu import fp32
from golden.tnpu.fp32 import F32, add, multiply
from hw.tnpu.config import TNPUConfig
from hw.tnpu.instruction import Init, Op, Opcode, Operand

MINUS_ZERO = np.float32(-0.0)


class Write(NamedTuple):
    """A word that goes to S."""

    cycle: int
    addr: int
    word: list[int]     # bits


class Memories(NamedTuple):
    """Bits of X and W, read only, and of S: uint32 [words, lanes]."""

    x: np.ndarray
    w: np.ndarray
    s: np.ndarray


class PU:
    """Takes instructions' issues (dicts of `issue_layout`'s fields, only those that are not 0) with
    their cycles. S is written at once: issues that need each other's sums are far enough apart."""

    def __init__(self, cfg: TNPUConfig, unit: str, memories: Memories) -> None:
        self.cfg, self.unit, self.memories = cfg, unit, memories
        self.rows = cfg.rows(unit)
        self.latency = 2 + cfg.mul_latency + self.rows * cfg.add_latency
        self.slots = np.zeros((cfg.slots, self.rows, cfg.lanes), np.float32)
        self.weights = np.zeros((self.rows, cfg.lanes), np.float32)
        self.window: list[np.ndarray] = []

    def run(self, setting: Mapping[str, Any],
            issues: Sequence[tuple[int, Mapping[str, Any]]]) -> list[Write]:
        """The writes of one instruction, in order."""
        weights = self._passes(setting, issues) if setting["opcode"] == Opcode.STREAM else {}
        writes = []
        for cycle, issue in issues:
            if not issue.get("valid"):
                continue
            total = self._sum(setting, issue, weights.get(cycle))
            if issue.get("relu"):
                total = np.where(np.signbit(total), np.float32(0), total)
            if issue.get("write"):
                word = fp32.to_bits(total)
                self.memories.s[issue["to"]] = word
                writes.append(Write(cycle + self.latency, issue["to"], word.tolist()))
        return writes

    def _w(self, setting: Mapping[str, Any], n: int) -> np.ndarray:
        """Word n of W, or lane n mod lanes of the words of its block."""
        lanes = self.cfg.lanes
        if not setting.get("transpose"):
            return self.memories.w[n]
        return self.memories.w[n - n % lanes:][:lanes, n % lanes]

    def _passes(self, setting: Mapping[str, Any],
                issues: Sequence[tuple[int, Mapping[str, Any]]]) -> dict[int, F32]:
        """Cycle of an issue -> the weights [rows, lanes] of its products."""
        found = {cycle: np.empty((self.rows, self.cfg.lanes), np.float32)
                 for cycle, issue in issues if issue.get("valid")}
        for r in range(self.rows):
            late = r * self.cfg.add_latency
            events = [(cycle, 1, issue["w"]) for cycle, issue in issues
                      if issue.get("take", 0) >> r & 1]
            events += [(cycle + late, 0, -1 if issue.get("swap") else -2)
                       for cycle, issue in issues if issue.get("valid")]
            coming = self.weights[r]
            for cycle, _, w in sorted(events):
                if w >= 0:
                    coming = fp32.from_bits(self._w(setting, w))
                elif w == -1:
                    self.weights[r] = coming
                if w < 0:
                    found[cycle - late][r] = self.weights[r]
        return found

    def _row_operands(self, setting: Mapping[str, Any], issue: Mapping[str, Any]) -> F32:
        """Of each row, [rows]."""
        stream, operand = setting["opcode"] == Opcode.STREAM, setting.get("operand", Operand.IMM)
        if issue.get("x_zero"):
            bits: Any = [0] * self.rows
        elif stream or operand == Operand.ROWS:
            bits = self.memories.x.reshape(-1, self.rows)[issue.get("x", 0)]
        elif operand == Operand.VALUE:
            bits = [self.memories.x.reshape(-1)[issue.get("x", 0)]] * self.rows
        else:
            bits = [setting.get("imm", 0)] * self.rows
        return fp32.from_bits(bits)

    def _sum(self, setting: Mapping[str, Any], issue: Mapping[str, Any],
             weights: F32 | None) -> F32:
        opcode, cfg = setting["opcode"], self.cfg
        w = fp32.from_bits(self._w(setting, issue.get("w", 0))).copy()
        if issue.get("w_zero"):
            w[:] = 0
        s = fp32.from_bits(self.memories.s[issue.get("s", 0)])
        init = issue.get("init", Init.KEEP)
        if init == Init.ZERO:
            s = np.zeros(cfg.lanes, np.float32)
        elif init == Init.WORD:
            s = add(s, np.float32(0))
        slot = issue.get("slot", 0)
        if opcode == Opcode.VECTOR:
            return self._vector(setting, issue, w, s)
        if opcode == Opcode.POOL:
            return self._pool(issue, w)
        if opcode == Opcode.DRAIN:
            return add(s, self.slots[slot, issue.get("row", 0)])
        a = self._row_operands(setting, issue)
        if opcode == Opcode.LOCAL:
            before = np.float32(0) if init == Init.ZERO else self.slots[slot]
            self.slots[slot] = add(before, multiply(a[:, None], w[None, :]))
            return s
        assert weights is not None
        for r in range(self.rows):
            s = add(s, multiply(a[r], weights[r]))
        return s

    def _vector(self, setting: Mapping[str, Any], issue: Mapping[str, Any], w: F32, s: F32) -> F32:
        op = setting.get("op", 0)
        if op == Op.CLEAR:
            return np.zeros_like(s)
        if op == Op.MASK:
            return fp32.canonical(np.where(w > 0, s, np.float32(0)))
        if op == Op.ROUTE:
            numbers = self.memories.x[issue.get("x", 0) // self.cfg.x_units(self.unit)]
            routed = np.where(numbers == issue.get("group", 0), w, MINUS_ZERO)
            return add(s, multiply(np.float32(not issue.get("x_zero")), routed))
        a = self._row_operands(setting, issue)[0]
        if op == Op.SWAP:
            return add(w, multiply(a, s))
        return add(s, multiply(a, w))

    def _pool(self, issue: Mapping[str, Any], w: F32) -> F32:
        if issue.get("first"):
            self.window = []
        if not issue.get("index"):
            self.window.append(w)
        best, where = self.window[0].copy(), np.zeros(self.cfg.lanes, np.uint32)
        for number, element in enumerate(self.window[1:], 1):
            better = element > best
            best[better], where[better] = element[better], number
        return fp32.canonical(fp32.from_bits(where) if issue.get("index") else best)
