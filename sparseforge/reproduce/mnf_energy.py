"""Access counts by level times Table 5's energies, for Table 1's layers (Section 6.5, Fig. 1).

Closed forms. Of every dataflow: weights and inputs come from memory once (MNF: everything is on
chip), multiplications with a zero activation are left out. The stationary dataflows have a square
of 16 × 16 multipliers, a value from SRAM goes to 16 of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from golden.layers import Layer

LAYERS = tuple(Layer(name=name, c=c, k=k, h=side, w=side, r=3, s=3, pad=1) for name, c, k, side in (
    ("Layer1", 256, 384, 56), ("Layer2", 384, 256, 13), ("Layer3", 64, 128, 224)))
SPARSITIES = (0.1, 0.3, 0.5)
LEVELS = ("DRAM", "SRAM", "PE buffer", "register")
SPREAD = 16         # multipliers of a row and of a column


@dataclass(frozen=True)
class Costs:
    """Table 5, in pJ: an access and its bits. `word`: of the weights' port of the PE buffer."""

    dram: tuple[float, int]
    sram: tuple[float, int]
    buffer: tuple[float, int]
    register: float             # of a multiplication, three accesses
    word: tuple[float, int] = (0.0, 0)


OTHERS = Costs((512, 64), (74, 64), (1.59, 16), 0.97 * 3)
OURS = Costs((256, 32), (3.87, 32), (3.87, 32), 0.018 * 3, (12.35, 216))


def stationary(layer: Layer, sparsity: float, kept: str) -> dict[str, float]:
    """Accesses by level, of values of 16 bits, with weights, outputs or inputs stationary."""
    macs = layer.macs * (1 - sparsity)
    weights, inputs = layer.weight_count, layer.c * layer.h * layer.w * (1 - sparsity)
    outputs = layer.k * layer.ho * layer.wo
    # Values that a multiplication takes besides the stationary one: sums go in and out.
    sram = {"weight": weights + macs / SPREAD + 2 * macs / SPREAD,
            "output": outputs + 2 * macs / SPREAD,
            "input": inputs + macs / SPREAD + 2 * macs / SPREAD}[kept]
    buffer = {"weight": 3, "output": 2, "input": 3}[kept] * macs
    return {"DRAM": weights + inputs + outputs, "SRAM": sram, "PE buffer": buffer,
            "register": macs}


def events(layer: Layer, sparsity: float, lanes: int) -> dict[str, float]:
    """Accesses of MNF: SRAM holds the events, the PE buffer words of weights and sums."""
    macs = layer.macs * (1 - sparsity)
    inputs = layer.c * layer.h * layer.w * (1 - sparsity)
    outputs = layer.k * layer.ho * layer.wo
    return {"DRAM": 0.0, "SRAM": inputs + outputs, "words": macs / lanes,
            "PE buffer": 2 * macs + outputs, "register": macs}


def dataflows(layer: Layer, sparsity: float,
              lanes: int) -> dict[str, tuple[dict[str, float], Costs, int]]:
    """Of each dataflow its accesses, what one costs, and the bits of its values."""
    return {**{f"{kept} stationary": (stationary(layer, sparsity, kept), OTHERS, 16)
               for kept in ("weight", "output", "input")},
            "mnf": (events(layer, sparsity, lanes), OURS, 8)}


def energy(counts: dict[str, float], costs: Costs, bits: int) -> dict[str, float]:
    """Microjoules by level."""
    def part(level: str, cost: tuple[float, int], width: int) -> float:
        return counts[level] * width / cost[1] * cost[0] / 1e6
    sums = 32 if costs.word[1] else bits
    return {"DRAM": part("DRAM", costs.dram, bits),
            "SRAM": part("SRAM", costs.sram, 32 if costs.word[1] else bits),
            "PE buffer": part("PE buffer", costs.buffer, sums)
            + counts.get("words", 0) * costs.word[0] / 1e6,
            "register": counts["register"] * costs.register / 1e6}
