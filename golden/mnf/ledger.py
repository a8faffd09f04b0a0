"""The paper's claims beside what any machine of its kind could reach (Tables 3 and 4)."""

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
