"""The paper's arithmetic, checked: equations 1 and 2, and Table 4 beside what can be reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from golden.layers import Layer

MULTIPLIERS = 297
CLOCK = 200e6
FRAMES = {"alexnet": 612.1, "vgg16": 31.6}      # Table 4, frames per second


@dataclass(frozen=True)
class Row:
    """A layer or a network, in cycles of all 297 multipliers."""

    name: str
    dense: int                  # every multiplication
    events: int                 # those with a non-zero activation: the work of a MNF machine
    both: int                   # those with two non-zero operands: weights skipped as well


@dataclass(frozen=True)
class Ledger:
    """A network's layers, their sum, and the cycles that Table 4 leaves for a frame."""

    rows: tuple[Row, ...]
    claimed: int

    @property
    def total(self) -> Row:
        return Row("total", *(sum(getattr(row, field) for row in self.rows)
                              for field in ("dense", "events", "both")))

    @property
    def share(self) -> float:
        """Of the dense multiplications that the claim leaves time for."""
        return self.claimed / self.total.dense


def ledger(network: str, layers: Sequence[Layer],
           densities: Mapping[str, tuple[float, float]]) -> Ledger:
    """`densities`: (weights, activations) of each layer by name. Multiplications with padding
    count, and zeros are taken as evenly spread."""
    rows = []
    for layer in layers:
        weight, activation = densities[layer.name]
        rows.append(Row(layer.name, *(ceil(layer.macs * part / MULTIPLIERS) for part in (
            1.0, activation, weight * activation))))
    return Ledger(tuple(rows), int(CLOCK / FRAMES[network]))


def _ceil_div(value: int, by: int) -> int:
    return -(-value // by)


def equation_1(w: int, h: int, k: int, filters: int, neurons: int, weights: int) -> tuple[int, int]:
    """PEs for a conv layer: as printed, and corrected. One input channel, `filters` maps.

    Printed: max(w·h/N, k·k·c/W), which forgets how many maps of w × h there are. Corrected: whole
    maps to a PE, ⌊N/(w·h)⌋ of them, and all the weights. ValueError if a PE cannot hold a map.
    """
    if w * h > neurons:
        raise ValueError(f"a map of {w} × {h} must fit the {neurons} neurons of a PE")
    printed = max(_ceil_div(w * h, neurons), _ceil_div(k * k * filters, weights))
    return printed, max(_ceil_div(filters, neurons // (w * h)), _ceil_div(k * k * filters, weights))


def equation_2(m: int, n: int, neurons: int, weights: int) -> int:
    """PEs for an FC layer of m inputs and n outputs."""
    return max(_ceil_div(n, neurons), _ceil_div(m * n, weights))
