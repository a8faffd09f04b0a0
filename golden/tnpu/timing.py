"""A program's cycles, and where in time its blocks lie: `cycles` on whole batches.

Blocks share their instructions, so these are looked at once, however large the batch is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from golden.program import Memory
from golden.tnpu import cycles
from golden.tnpu.assemble import Instruction
from golden.tnpu.program import Program
from golden.tnpu.schedule import Block
from hw.tnpu.config import TNPUConfig
from hw.tnpu.instruction import LOOPS, Opcode, Operand

COLUMNS = 10        # of `cycles.Queue`
ADDRESS = 6


class Span(NamedTuple):
    """When a block's instructions were under way: first taken, last ended."""

    unit: str
    block: Block
    begin: int
    end: int


@dataclass(frozen=True)
class Timed:
    """A program's run by the model."""

    report: cycles.Report
    spans: tuple[Span, ...]
    multiplications: dict[str, int]     # of each unit

    @property
    def cycles(self) -> int:
        return self.report.cycles


def multiplications(one: Instruction, cfg: TNPUConfig, unit: str) -> int:
    """Products that the hardware forms, padding and empty lanes included."""
    if one.transfer or not cycles.multiplies({"opcode": one.opcode, **_op(one)}):
        return 0
    groups, issues = one.groups()
    alike = one.opcode == Opcode.VECTOR or one.fields.get("operand") == Operand.VALUE
    rows = 1 if alike else cfg.rows(unit)
    return groups * issues * rows * cfg.lanes


def _op(one: Instruction) -> dict[str, int]:
    return {"op": one.fields.get("op", 0)}


def _template(instructions: tuple[Instruction, ...], cfg: TNPUConfig, unit: str
              ) -> tuple[np.ndarray, list[str], int]:
    """A block's entries with offsets for addresses, the regions of these, its products."""
    rows, regions, products = [], [], 0
    for one in instructions:
        small = {"opcode": int(one.opcode), "wait": one.wait, "signal": one.signal, **_op(one),
                 "relative": 0}
        if one.transfer:
            small |= {name: one.fields[name] for name in ("address", "beats", "chunks")}
            small["stride"] = one.fields["stride"] % (1 << 32)
        else:
            counts = one.counts()
            small |= {f"count{k}": counts[k] for k in range(LOOPS)}
            small |= {"inner": one.fields["inner"], "gap": one.fields["gap"]}
            products += multiplications(one, cfg, unit)
        rows.append(cycles.entry(small, cfg, unit, 0))
        regions.append(one.region if one.transfer else "")
    return np.array(rows, np.int64).reshape(-1, COLUMNS), regions, products


def _queue(program: Program, unit: str) -> tuple[cycles.Queue, list[tuple[Block, int, int]], int]:
    """The whole queue, where its blocks lie in it, and its products."""
    known: dict[int, tuple[np.ndarray, list[str], int]] = {}
    tables, blocks, at, products = [], [], 0, 0
    for piece in program.queues[unit]:
        key = id(piece.instructions)
        if key not in known:
            known[key] = _template(piece.instructions, program.config, unit)
        table, regions, count = known[key]
        names = sorted(set(regions) - {"", "queue"})
        bases = {name: program.regions[name].address(piece.block.instance) for name in names}
        bases |= {"": 0, "queue": program.queue_at[unit]}
        table = table.copy()
        table[:, ADDRESS] += np.array([bases[name] for name in regions], np.int64)
        tables.append(table)
        blocks.append((piece.block, at, at + len(table)))
        at, products = at + len(table), products + count
    whole = np.concatenate(tables)
    return (cycles.Queue(*(np.ascontiguousarray(column) for column in whole.T)), blocks, products)


def time(program: Program, memory: Memory = Memory()) -> Timed:        # noqa: B008 (frozen)
    """Runs the model. Raises ValueError for a memory that it does not cover."""
    queues, blocks, products = zip(*(_queue(program, unit) for unit in cycles.UNITS), strict=True)
    report = cycles.run(queues, program.config, memory,
                        [program.queue_at[unit] for unit in cycles.UNITS], program.share_c)
    spans = []
    for u, unit in enumerate(cycles.UNITS):
        for block, pieces in groupby(blocks[u], key=lambda piece: piece[0]):
            at = [slice(low, high) for _, low, high in pieces]
            if block.phase != "start":
                spans.append(Span(unit, block, min(int(report.taken[u][s].min()) for s in at),
                                  max(int(report.ended[u][s].max()) for s in at)))
    return Timed(report, tuple(spans), dict(zip(cycles.UNITS, products, strict=True)))
