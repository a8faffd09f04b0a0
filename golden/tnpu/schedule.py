"""Which part of a batch comes when: SOSM and its rivals (Section 3.2, Fig. 5).

The machine knows two queues and tokens; a schedule is the order of the *blocks* (phase, instance)
in PU-c's queue. PU-f's is always FP, BP, GD of one instance after the other.

`sosm` runs ahead: with three live instances FP-c of instances 0 and 1, and then FP of i + 2, BP of
i, GD of i: no slot is empty but the first and the last ones (Fig. 5(b)). `conventional` is the same
with one live instance (Fig. 5(a)). `time_multiplexed` makes both units one pool that works at one
layer at a time, as DaDianNao does (`golden/tnpu/pool.py`). `separate` is the conventional order on
units that have fixed parts of the bus, as DNPU.
"""

from __future__ import annotations

from typing import NamedTuple

SCHEDULES = ("sosm", "conventional", "time_multiplexed", "separate")


class Block(NamedTuple):
    """A phase of one instance on one unit: FP, BP, GD; WU of the batch."""

    phase: str
    instance: int
    lent: bool = False      # PU-f's part of PU-c's layers


def check(schedule: str, live: int) -> None:
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, not {schedule!r}")
    if not 1 <= live <= 64:
        raise ValueError(f"look-ahead must be 1 to 64 live instances, not {live}")


def live_instances(schedule: str, live: int, batch: int) -> int:
    """How many instances' activations are kept."""
    return min(live, batch) if schedule == "sosm" else 1


def queue_c(batch: int, live: int) -> list[Block]:
    """PU-c's blocks."""
    out = [Block("FP", n) for n in range(min(live - 1, batch))]
    for n in range(batch):
        if n + live - 1 < batch:
            out.append(Block("FP", n + live - 1))
        out += [Block("BP", n), Block("GD", n)]
    return out


def queue_f(batch: int) -> list[Block]:
    """PU-f's blocks."""
    return [Block(phase, n) for n in range(batch) for phase in ("FP", "BP", "GD")]


def slots(batch: int, live: int, multiplexed: bool = False) -> list[dict[str, Block]]:
    """Fig. 5: what each unit does in each slot, were all blocks equally long and memory free.

    A block begins in the first slot in which its unit and what it depends on are done.
    """
    done: dict[tuple[str, Block], int] = {}
    queues = {"c": queue_c(batch, live), "f": queue_f(batch)}
    free = {"c": 0, "f": 0}
    table: dict[int, dict[str, Block]] = {}
    while queues["c"] or queues["f"]:
        for unit, queue in queues.items():
            if not queue:
                continue
            phase, n, _ = queue[0]
            needs = {("c", "BP"): [("f", Block("GD" if multiplexed else "BP", n))],
                     ("f", "FP"): [("c", Block("FP", n))]}.get((unit, phase), [])
            if unit == "c" and phase == "FP" and n >= live:
                needs = [("f", Block("GD", n - live))]
            if all(need in done for need in needs):
                at = max([free[unit], *(done[need] for need in needs)])
                table.setdefault(at, {})[unit] = queue[0]
                free[unit] = done[unit, queue.pop(0)] = at + 1
    return [table.get(n, {}) for n in range(max(table) + 1)]
