"""The closed form beside the model: an instance's cost on each unit, what schedules make of it.

Computing is the sum of the instructions' own cycles; the bus moves ``rate_beats`` words in
``rate_cycles``. What this leaves out is waiting: latencies of loads, ends of layers, the ends of a
batch. `golden/tnpu/timing.py` has it all.
"""

from __future__ import annotations

from dataclasses import dataclass

from golden.tnpu.assemble import instruction_beats
from golden.tnpu.nest import duration
from golden.tnpu.program import Piece, Program
from golden.tnpu.timing import multiplications
from hw.tnpu.config import TNPUConfig
from hw.tnpu.instruction import LOOPS


@dataclass(frozen=True)
class Cost:
    """A block's: cycles of its compute instructions, words over the bus, products, accesses.

    `accesses` are values read from and written to X, W and S by computing.
    """

    compute: int = 0
    beats: int = 0
    products: int = 0
    accesses: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.compute + other.compute, self.beats + other.beats,
                    self.products + other.products, self.accesses + other.accesses)

    def time(self, rate: float) -> float:
        """Cycles, computing and transfers side by side; `rate` in words per cycle."""
        return max(self.compute, self.beats / rate)


def cost(program: Program, unit: str, piece: Piece) -> Cost:
    """What a block asks for."""
    cfg, line = program.config, instruction_beats(program.config.memory_bits)
    compute = beats = products = accesses = 0
    for one in piece.instructions:
        beats += line
        if one.transfer:
            beats += one.fields["beats"] * one.fields["chunks"]
            continue
        counts = one.counts()
        compute += duration({"opcode": int(one.opcode), "inner": one.fields["inner"],
                             "gap": one.fields["gap"],
                             **{f"count{k}": counts[k] for k in range(LOOPS)}}, cfg, unit)
        groups, issues = one.groups()
        products += multiplications(one, cfg, unit)
        accesses += 3 * groups * issues * cfg.lanes     # S in and out and X, or X, W and a slot
    return Cost(compute, beats, products, accesses)


def phases(program: Program) -> dict[tuple[str, str], Cost]:
    """Costs by unit and phase, of an instance that is not the first one; not of a pool's program,
    whose pieces are layers."""
    out: dict[tuple[str, str], Cost] = {}
    for unit, pieces in program.queues.items():
        for piece in pieces:
            if piece.block.phase != "start":
                out[unit, piece.block.phase] = cost(program, unit, piece)
    return out


def pooled(cfg: TNPUConfig) -> float:
    """PU-c's part of the rows of PEs."""
    return cfg.rows("c") / (cfg.rows("c") + cfg.rows("f"))


def instance(costs: dict[tuple[str, str], Cost], schedule: str, rate: float, split: float = 0.5,
             pool: float = 1.0) -> float:
    """Cycles of an instance in a long batch. `split`: PU-c's part of the bus in ``separate``;
    `pool`: of a convolution in ``time_multiplexed`` (`pooled`)."""
    c = {phase: costs.get(("c", phase), Cost()) for phase in ("FP", "BP", "GD")}
    f = {phase: costs.get(("f", phase), Cost()) for phase in ("FP", "BP", "GD")}
    if schedule == "sosm":
        both_c, both_f = c["FP"] + c["BP"] + c["GD"], f["FP"] + f["BP"] + f["GD"]
        return max(both_c.compute, both_f.compute, (both_c.beats + both_f.beats) / rate)
    if schedule == "time_multiplexed":
        return (sum(max(block.compute * pool, block.beats / rate) for block in c.values())
                + sum(block.time(rate) for block in f.values()))
    rate_c, rate_f = (rate * split, rate * (1 - split)) if schedule == "separate" else (rate, rate)
    beside = max(c["BP"].time(rate_c), f["GD"].time(rate_f))
    if schedule == "conventional":
        beside = max(beside, (c["BP"].beats + f["GD"].beats) / rate)
    return (c["FP"].time(rate_c) + f["FP"].time(rate_f) + f["BP"].time(rate_f) + beside
            + c["GD"].time(rate_c))
