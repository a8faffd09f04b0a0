"""A pruned, quantised network as one file, ``.npz``: what the hardware is given to run.

Per layer n: ``n_indices`` int16 ``[K, C, R, S]`` (-1: no synapse), ``n_codebooks`` int64
``[sub-matrices, 2^bits]``, ``n_bias`` int64 ``[K]``; ``about`` is JSON: the layers' fields, blocks,
bits, sub-matrices, fraction bits, and what else is known of the network.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from golden.cambricon_s.pruning import Block
from golden.cambricon_s.quantise import Quantised, Submatrices
from golden.layers import Layer, Pool
from sparseforge.pruning.networks import Plan
from sparseforge.pruning.recipe import Integer

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class StoredLayer:
    """A layer in integers, its weights as indices into codebooks."""

    layer: Layer
    indices: np.ndarray
    codebooks: np.ndarray
    bias: np.ndarray
    bits: int
    cut: Submatrices
    block: Block

    @property
    def weights(self) -> np.ndarray:
        """int64 [K, C, R, S]."""
        used = np.full(len(self.codebooks), self.codebooks.shape[1])
        return Quantised(self.indices, self.codebooks, used, self.bits, self.cut).look_up()


def save(path: Path, plans: Sequence[Plan], books: Sequence[Quantised],
         layers: Sequence[Integer], **about: Any) -> None:
    """Writes the file, whole or not at all."""
    arrays: dict[str, Any] = {}
    notes = []
    for n, (plan, q, one) in enumerate(zip(plans, books, layers, strict=True)):
        arrays |= {f"{n}_indices": q.indices, f"{n}_codebooks": one.codebooks,
                   f"{n}_bias": one.bias}
        notes.append({"layer": one.layer.as_dict(), "bits": q.bits, "cut": vars(q.cut),
                      "block": vars(plan.pruning.block), "out_frac": one.out_frac})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=json.dumps({"layers": notes, **about}), **arrays)
    temporary = path.with_name(f".{path.name}")
    temporary.write_bytes(buffer.getvalue())
    os.replace(temporary, path)


def load(path: Path) -> tuple[list[StoredLayer], dict[str, Any]]:
    """The layers, and what was noted beside them."""
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        layers = []
        for n, note in enumerate(about.pop("layers")):
            fields = note["layer"]
            fields["pad"] = tuple(fields["pad"])
            fields["pool"] = Pool(**fields["pool"]) if fields["pool"] else None
            layers.append(StoredLayer(
                Layer(**fields), file[f"{n}_indices"], file[f"{n}_codebooks"], file[f"{n}_bias"],
                note["bits"], Submatrices(**note["cut"]), Block(**note["block"])))
    return layers, about


def shipped(name: str) -> tuple[list[StoredLayer], dict[str, Any]]:
    """A network of the project: digits or digits-mlp (seed 0 of `sparseforge prune`)."""
    return load(FOLDER / f"{name}.npz")
