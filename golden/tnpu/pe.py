"""What a PE's output shows in each cycle (``hw/tnpu/README.md``, "PE")."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from golden.tnpu import fp32

P_IN, ZERO, SLOT = 0, 1, 2
PRODUCT, NOTHING = 0, 1


class Step(NamedTuple):
    """The inputs of a cycle; numbers as their bits."""

    a: int
    b: int
    p_in: int
    x: int = P_IN
    y: int = NOTHING
    slot: int = 0
    write: int = 0
    stationary: int = 0
    swap: int = 0
    take: int = 0


def multiply(a: int, b: int) -> int:
    """Of binary32, as bits."""
    return int(fp32.to_bits(fp32.multiply(fp32.from_bits(a), fp32.from_bits(b)))[()])


def add(a: int, b: int) -> int:
    """Of binary32, as bits."""
    return int(fp32.to_bits(fp32.add(fp32.from_bits(a), fp32.from_bits(b)))[()])


def outputs(steps: Sequence[Step], mul_latency: int, add_latency: int, bits: int = 32,
            multiply: Callable[[int, int], int] = multiply,
            add: Callable[[int, int], int] = add) -> dict[int, int]:
    """Cycle -> the bits at ``o``, for the sums of all steps whose ``p_in`` is among the steps.

    ``x`` and ``y`` beyond SLOT are ZERO and NOTHING. Sums that need a slot which nothing wrote are
    left out, and so is what is made of them.
    """
    weight: int | None = None
    weight_next: int | None = None
    slots: dict[int, int | None] = {}
    written: dict[int, tuple[int, int | None]] = {}    # cycle -> slot and sum
    shown: dict[int, int] = {}
    for t in range(len(steps)):
        step = steps[t]
        if step.swap:
            weight = weight_next
        factor = weight if step.stationary else step.b
        if step.take:
            weight_next = step.b
        at = t + mul_latency                           # the cycle at the adder
        if at >= len(steps):
            break
        if at - 1 in written:
            slot, total = written.pop(at - 1)
            slots[slot] = total
        local = slots.get(step.slot)
        product = None if factor is None else multiply(step.a, factor)
        x = {P_IN: steps[at].p_in, SLOT: local}.get(step.x, 0)
        y = {PRODUCT: product, SLOT: local}.get(step.y, 1 << (bits - 1))
        total = None if x is None or y is None else add(x, y)
        if step.write:
            written[at + add_latency] = step.slot, total
        if total is not None:
            shown[at + add_latency] = total
    return shown
