"""Per-layer densities: the published ones of ``densities.csv``, and the rules that fill the rest.

The rules, in this order: a network's ``*`` row (an average over the network) holds for each of its
layers, but an input image is dense; an inception layer lies on the line from the same branch of
module 3a to that of 5b; GoogLeNet's first layers take module 3a's 3x3_reduce (1 × 1 kernels) or
3x3 (larger kernels), but an input image is dense.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("densities.csv")
MODULES = ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]


@dataclass(frozen=True)
class Densities:
    """Fractions of non-zeros of one layer; `published` is False where a rule filled them."""

    weights: float
    activations: float
    source: str
    published: bool


@cache
def published() -> dict[tuple[str, str], Densities]:
    """The rows of the table by (network, layer)."""
    with TABLE.open(newline="") as rows:
        return {(row["network"], row["layer"]):
                Densities(float(row["weight_density"]), float(row["input_density"]),
                          row["source"], True) for row in csv.DictReader(rows)}


def densities(network: str, layer: str, *, first: bool) -> Densities:
    """The densities of a built-in network's layer; `first` if it reads the input image."""
    family = "resnet50" if network.startswith("resnet50") else network
    table = published()
    if (family, layer) in table:
        return table[family, layer]
    if (family, "*") in table:
        row = table[family, "*"]
        return Densities(row.weights, 1.0 if first else row.activations,
                         f"filled: {row.source}" + (", dense image" if first else ""), False)
    if layer.startswith("inception_"):
        return _between(layer)
    twin = table["googlenet", "inception_3a/3x3_reduce" if layer.endswith("reduce")
                 else "inception_3a/3x3"]
    return Densities(twin.weights, 1.0 if first else twin.activations,
                     "filled: as inception_3a" + (", dense image" if first else ""), False)


def _between(layer: str) -> Densities:
    module, branch = layer.removeprefix("inception_").split("/")
    near, far = (published()["googlenet", f"inception_{end}/{branch}"] for end in ("3a", "5b"))
    part = MODULES.index(module) / (len(MODULES) - 1)
    weights, activations = (round(a + (b - a) * part, 3) for a, b in (
        (near.weights, far.weights), (near.activations, far.activations)))
    return Densities(weights, activations, "filled: between inception_3a and inception_5b", False)
