"""The nest of a compute instruction, cycle by cycle: what ``hw/tnpu/buffer_controller.py`` issues.

Instructions are mappings from field names (``hw/tnpu/instruction.py``) to numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np

from golden.jit import njit
from hw.tnpu.config import TNPUConfig
from hw.tnpu.instruction import ADDRESS, COORDINATE, LOOPS, Bound, Init, Opcode

WIDTHS = {"x": ADDRESS, "w": ADDRESS, "s": ADDRESS, "row": COORDINATE, "col": COORDINATE}
POSITIONS = 2       # STREAM's loops over positions


def jumps(counts: list[int], strides: list[int], bits: int) -> list[int]:
    """The jump of each loop, modulo 2^bits, from the strides of all."""
    back = 0
    out = []
    for count, stride in zip(counts, strides, strict=True):
        out.append((stride - back) % (1 << bits))
        back += stride * (count - 1)
    return out


def strides(instruction: Mapping[str, int], name: str) -> list[int]:
    """What a turn of each loop adds to address or coordinate `name`: `jumps` undone."""
    out: list[int] = []
    back = 0
    for k in range(LOOPS):
        out.append(instruction[f"jump_{name}{k}"] + back)
        back += out[-1] * (instruction[f"count{k}"] - 1)
    return out


def counts(instruction: Mapping[str, int]) -> list[int]:
    return [instruction[f"count{k}"] for k in range(LOOPS)]


Fields = dict[str, int]      # of an issue, by the names of ``hw/tnpu/layouts.py``


def group_cycles(instruction: Mapping[str, int]) -> tuple[int, int]:
    """Groups, and cycles of each: issues and gap."""
    inner, size, groups = instruction["inner"], 1, 1
    for k, count in enumerate(counts(instruction)):
        if k < inner:
            size *= count
        else:
            groups *= count
    return groups, size + instruction["gap"]


def lead_in(instruction: Mapping[str, int], config: TNPUConfig, unit: str) -> int:
    """Cycles from the take to the first issue."""
    stream = instruction["opcode"] == Opcode.STREAM
    return 1 + (2 + config.rows(unit) * config.add_latency if stream else 0)


def duration(instruction: Mapping[str, int], config: TNPUConfig, unit: str) -> int:
    """Cycles from taking a compute instruction to taking the next."""
    groups, cycles = group_cycles(instruction)
    return lead_in(instruction, config, unit) + groups * cycles + config.min_pass(unit)


def issues(instruction: Mapping[str, int], config: TNPUConfig,
           unit: str) -> Iterator[tuple[int, Fields]]:
    """All issues in order: the cycle, counted from the take, and what is issued."""
    turns, inner = counts(instruction), instruction["inner"]
    steps = {name: strides(instruction, name) for name in WIDTHS}
    begin = lead_in(instruction, config, unit)
    groups, cycles = group_cycles(instruction)
    size = cycles - instruction["gap"]
    for n, index in enumerate(product(*(range(count) for count in reversed(turns)))):
        loops = index[::-1]
        at = {name: (instruction[name] + sum(i * s for i, s in zip(loops, step, strict=True)))
              % (1 << WIDTHS[name]) for name, step in steps.items()}
        group, nth = divmod(n, size)
        fields = _operands(instruction, at) | _sums(instruction, at, nth, size, group, groups,
                                                    first=not any(loops[inner:]))
        fields |= {"group": group, "row": loops[0],
                   "slot": loops[1] if instruction["opcode"] == Opcode.DRAIN else nth}
        yield begin + group * cycles + nth, fields
        if instruction["opcode"] == Opcode.POOL and nth == size - 1:
            to = (at["s"] + instruction["extra"]) % (1 << ADDRESS)
            yield begin + group * cycles + size, fields | {"index": 1, "to": to}


def _operands(instruction: Mapping[str, int], at: Mapping[str, int]) -> Fields:
    row, col = (at[name] - (at[name] >> COORDINATE - 1 << COORDINATE) for name in ("row", "col"))
    outside = not (0 <= row < instruction["rows"] and 0 <= col < instruction["cols"])
    return {"x": at["x"], "w": at["w"],
            "x_zero": outside and instruction["bound"] == Bound.X,
            "w_zero": outside and instruction["bound"] == Bound.W}


def _sums(instruction: Mapping[str, int], at: Mapping[str, int], nth: int, size: int, group: int,
          groups: int, *, first: bool) -> Fields:
    opcode, init = instruction["opcode"], instruction["init"]
    if not first and not (opcode == Opcode.VECTOR and init == Init.ZERO):
        init = Init.KEEP
    pool = opcode == Opcode.POOL
    return {"init": init, "s": instruction["extra"] if init == Init.WORD else at["s"],
            "to": at["s"], "write": opcode != Opcode.LOCAL and (not pool or nth == size - 1),
            "relu": instruction["relu"] and group == groups - 1, "index": 0,
            "swap": opcode == Opcode.STREAM and nth == 0, "first": pool and nth == 0}


def takes(instruction: Mapping[str, int], config: TNPUConfig,
          unit: str) -> Iterator[tuple[int, Fields]]:
    """STREAM: the reads of weights, a pass ahead of the issues that use them: cycle, `w`, `take`.
    """
    turns, steps = counts(instruction), strides(instruction, "w")
    _, cycles = group_cycles(instruction)
    first = lead_in(instruction, config, unit)
    passes = product(*(range(count) for count in reversed(turns[POSITIONS:])))
    for n, index in enumerate(passes):
        word = instruction["w"] + sum(i * s for i, s in zip(index[::-1], steps[POSITIONS:],
                                                            strict=True))
        before = 0 if n == 0 else first + (n - 1) * cycles
        for row in range(config.rows(unit)):
            yield (before + 1 + row * config.add_latency,
                   {"w": (word + row) % (1 << ADDRESS), "take": 1 << row})


@njit
def _walk(counts, jumps, start, widths):
    """int64 [issues, addresses]: each address, issue by issue."""
    total = 1
    for i in range(len(counts)):
        total *= counts[i]
    out = np.empty((total, len(start)), np.int64)
    at = np.zeros(len(counts), np.int64)
    now = start.copy()
    for n in range(total):
        out[n] = now
        level = 0
        while level < len(counts) and at[level] == counts[level] - 1:
            at[level] = 0
            level += 1
        if level < len(counts):
            at[level] += 1
            for k in range(len(start)):
                now[k] = (now[k] + jumps[level, k]) & ((1 << widths[k]) - 1)
    return out


def walk(instruction: Mapping[str, int]) -> dict[str, np.ndarray]:
    """All issues at once: int64 [groups, issues of a group] of each address; rows and columns
    signed. As the hardware walks: by jumps."""
    turns = np.array(counts(instruction), np.int64)
    if not turns.all():
        raise ValueError("OPCODE: a loop's count must not be 0")
    steps = np.array([[instruction[f"jump_{name}{k}"] for name in WIDTHS] for k in range(LOOPS)],
                     np.int64)
    start = np.array([instruction[name] for name in WIDTHS], np.int64)
    out = _walk(turns, steps, start, np.array(list(WIDTHS.values()), np.int64))
    inner = int(np.prod(turns[:instruction["inner"]]))
    split = {name: out[:, n].reshape(-1, inner) for n, name in enumerate(WIDTHS)}
    half = 1 << (COORDINATE - 1)
    for name in ("row", "col"):
        split[name] = (split[name] + half) % (2 * half) - half
    return split
