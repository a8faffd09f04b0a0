"""Networks on S² Engine's array, layer by layer: whole, or from a sample of their tiles."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from golden.dense.systolic import systolic_cycles
from golden.jit import reached
from golden.layers import Layer, effectual_macs
from golden.s2engine.array import CAUSES
from golden.s2engine.capacity import capacity, idle_share
from golden.s2engine.plan import Plan, passes
from golden.s2engine.stage import Stage, stage
from golden.s2engine.timing import array_run, sampled
from golden.tensors import Tensors, synthetic
from hw.s2engine.config import S2Config
from sparseforge import progress
from sparseforge.networks import network

SEED = 0


@dataclass(frozen=True)
class Point:
    """A network on an array of size × size. `density`: of weights and features instead of the
    network's; `wide`: share of 16-bit values; `whole`: every pass, no sample."""

    network: str
    size: int
    depths: tuple[int, int, int]
    ratio: int
    density: float | None = None
    wide: float = 0.0
    whole: bool = False


def widened(values: np.ndarray, share: float, seed: int) -> np.ndarray:
    """`values` with this share of the non-zeros replaced by ones of 16 bits."""
    rng = np.random.default_rng(seed)
    large = rng.integers(1 << 8, 1 << 15, values.shape) * np.where(values < 0, -1, 1)
    return np.where((values != 0) & (rng.random(values.shape) < share), large, values)


@lru_cache(maxsize=4)
def _stage(name: str, layer: str, density: float | None, wide: float) -> tuple[Stage, Tensors]:
    entry = next(e for e in network(name).entries if e.layer.name == layer)
    w, f = entry.densities.weights, entry.densities.activations
    if density is not None:
        w = f = density
    given = synthetic(entry.layer, weight_density=w, activation_density=f, seed=SEED, data_bits=8,
                      acc_bits=32)
    seed = zlib.crc32(layer.encode())
    given = replace(given, weights=widened(given.weights, wide, seed),
                    activations=widened(given.activations, wide, seed + 1))
    outputs = np.zeros(entry.layer.outputs_shape, np.int8)
    return stage(0, entry.layer, given, [given.activations], [outputs], None), given


def _plans(found: Stage, size: int, wide: bool) -> list[Plan]:
    """Passes with buffers without end: the array alone is asked."""
    config = S2Config(rows=size, cols=size, mixed=wide, wb_tokens=1 << 40, max_kernels=65536)
    return passes(found, config)


def measure(point: Point, name: str) -> dict[str, Any]:
    """One layer's figures. Cycles of the DS clock; `half`: of the 95 % interval."""
    found, given = _stage(point.network, name, point.density, point.wide)
    layer: Layer = found.layer
    plans = _plans(found, point.size, point.wide > 0)
    options: dict[str, Any] = {"depths": point.depths, "ratio": point.ratio}
    out: dict[str, Any] = {
        "dense_cycles": systolic_cycles(layer, point.size, point.size),
        "dense_alone": systolic_cycles(layer, point.size, point.size, overlap=False),
        "macs": layer.macs,
        "effectual": effectual_macs(layer, given.weights, given.activations),
        "weights": given.weight_density * layer.macs,
        "features": given.activation_density * layer.macs}
    if point.whole:
        runs = [array_run(plan, **options) for plan in plans]
        return out | {"cycles": sum(r.cycles for r in runs), "half": 0.0,
                      "causes": {cause: sum(r.causes[cause] for r in runs) for cause in CAUSES},
                      "idle_share": idle_share(plans)}
    values = [sampled(plan, SEED, **options) for plan in plans]
    return out | {"cycles": sum(v for v, _ in values),
                  "half": sum(h * h for _, h in values) ** 0.5}


def _sources() -> str:
    """Names what the points depend on: all that this file reaches, and the densities."""
    digest = hashlib.sha256()
    files = reached(Path(__file__))
    for path in [*files, *(f.with_name("densities.csv") for f in files if f.stem == "densities")]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Bench:
    """Runs points once; finished layers are kept in `folder`, for the next run."""

    def __init__(self, folder: Path | None) -> None:
        self.file = folder / f"points-{_sources()}.json" if folder else None
        self.known: dict[str, dict[str, Any]] = {}
        if self.file and self.file.exists():
            self.known = json.loads(self.file.read_text())

    def points(self, points: Sequence[Point], what: str) -> dict[Point, dict[str, Any]]:
        """Each point's sums over its network's convolutions, and the ratios of these."""
        jobs = [(p, name) for p in points for name in network(p.network).compared]
        # Layer after layer, so that its tensors are drawn once; neighbours share them.
        jobs.sort(key=lambda job: (job[0].network, job[1], str(job[0].density), job[0].wide))
        missing = [job for job in jobs if _key(*job) not in self.known]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            found = pool.map(lambda job: measure(*job), missing)
            for job, one in zip(missing, progress.steps(found, len(missing), what), strict=True):
                self.known[_key(*job)] = one
                self._keep()
        return {p: _sums(p, self.layers(p).values()) for p in points}

    def layers(self, point: Point) -> dict[str, dict[str, Any]]:
        """The figures of each of the network's convolutions, of a point that was run."""
        return {name: self.known[_key(point, name)] for name in network(point.network).compared}

    def together(self, points: Sequence[Point]) -> dict[str, Any]:
        """The sums over several networks on one array: points that were run."""
        return _sums(points[0], [one for p in points for one in self.layers(p).values()])

    def _keep(self) -> None:
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.file.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.known))
            temporary.replace(self.file)

    def buffers(self, name: str, sizes: Sequence[int]) -> dict[int, dict[str, float]]:
        """What CE saves of a network's buffers, by array size: shares of bits."""
        # FB with CE, without, WB: bits read, bits kept
        totals = {size: np.zeros((2, 3)) for size in sizes}
        layers = network(name).compared
        for layer in progress.steps(layers, len(layers), f"buffers, {name}"):
            found = _stage(name, layer, None, 0.0)[0]
            for size in sizes:
                for plan in _plans(found, size, False):
                    bits = np.array([plan.config.feature_bits] * 2 + [plan.config.weight_bits])
                    kept = np.array(capacity(plan)) * bits
                    again = [len(plan.kernel_tiles)] * 2 + [len(plan.pixel_tiles)]
                    totals[size] += kept * again, kept
        return {size: {f"{thing}{kind}_saved": float(1 - (a[0] + w * a[2]) / (a[1] + w * a[2]))
                       for a, kind in zip(total, ("reads", "capacity"), strict=True)
                       for thing, w in (("", 1), ("feature_", 0))}
                for size, total in totals.items()}


def _key(point: Point, name: str) -> str:
    return json.dumps([asdict(point), name])


def _sums(point: Point, layers: Collection[dict[str, Any]]) -> dict[str, Any]:
    total = {key: sum(layer[key] for layer in layers) for key in (
        "cycles", "dense_cycles", "dense_alone", "macs", "effectual", "weights", "features")}
    out = {
        "speedup": total["dense_cycles"] * point.ratio / total["cycles"],
        "without_overlap": total["dense_alone"] * point.ratio / total["cycles"],
        "plus_minus": sum(x["half"] ** 2 for x in layers) ** 0.5 / total["cycles"],
        "must": total["effectual"] / total["macs"], "weights": total["weights"] / total["macs"],
        "features": total["features"] / total["macs"], "cycles": round(total["cycles"]),
        "dense_cycles": total["dense_cycles"]}
    slots = point.size ** 2 * total["cycles"]
    if not point.wide:
        out["mac_busy"] = total["effectual"] * point.ratio / slots
    if point.whole:
        for cause in CAUSES:
            out[cause] = sum(x["causes"][cause] for x in layers) / slots
        out["ds_busy"] = out["multiply"] + out["select"]
    return out
