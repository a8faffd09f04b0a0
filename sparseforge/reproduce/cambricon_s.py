"""``sparseforge reproduce cambricon_s``: what each sparsity gains, by the cycle model.

Tensors are synthetic: kept blocks at random places at the published densities, in the paper's
blocks, with as many values as its codebooks have (8 bits in convolutions, 4 in FC layers). The
dense machine has no codebooks: 16-bit weights, none of them zero.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from golden.cambricon_s.emit import Switches
from golden.cambricon_s.quantise import Submatrices
from golden.layers import Layer, effectual_macs
from golden.program import Memory
from golden.tensors import Tensors
from hw.cambricon_s.config import PRESETS, CambriconSConfig
from sparseforge import progress
from sparseforge.networks import network
from sparseforge.networks.network import Entry
from sparseforge.pruning.networks import CONV_BITS, FC_BITS, block_for
from sparseforge.pruning.synthetic import SUBMATRIX
from sparseforge.report.text import table
from sparseforge.reproduce.kept import kept

PAPER = PRESETS["paper"]
CONV_OUTPUTS = 128      # of a sub-matrix of a convolution
SWITCHES = {"dense": (False, False), "static": (True, False), "dynamic": (False, True),
            "both": (True, True)}
BUSES = (64, 128, 256, 512, 1024)


def cut_for(layer: Layer) -> Submatrices:
    """Where a layer's codebooks change."""
    return (Submatrices(outputs=SUBMATRIX, inputs=SUBMATRIX) if layer.is_fc
            else Submatrices(outputs=CONV_OUTPUTS))


def drawn(layer: Layer, weights: float, neurons: float, last: bool = False, seed: int = 0
          ) -> Tensors:
    """Coarse-grained synthetic tensors of a layer: `weights`, `neurons` are densities; each
    sub-matrix of `cut_for` has values of its own."""
    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    block, bits = block_for(layer, last), FC_BITS if layer.is_fc else CONV_BITS
    k, depth, r, s = layer.weights_shape
    size = layer.k // layer.groups
    mask = np.zeros((layer.groups, -(-size // block.fout), -(-depth // block.fin), r, s), bool)
    flat = mask.reshape(-1)
    flat[rng.permutation(flat.size)[:max(1, round(weights * flat.size))]] = True
    mask = np.repeat(np.repeat(mask, block.fout, 1)[:, :size], block.fin, 2)[:, :, :depth]
    cut, pool = cut_for(layer), np.setdiff1d(np.arange(-3000, 3000), [0])
    number = cut.number(layer.weights_shape)
    values = np.stack([rng.permutation(pool)[:1 << bits] for _ in range(number.max() + 1)])
    chosen = values[number, rng.integers(0, 1 << bits, layer.weights_shape)]
    there = rng.permutation(np.arange(np.prod(layer.activations_shape))
                            < round(neurons * np.prod(layer.activations_shape)))
    activations = rng.integers(1, 1 << 12, there.size) * there
    return Tensors((chosen * mask.reshape(k, depth, r, s)).astype(np.int16),
                   activations.reshape(layer.activations_shape),
                   np.zeros(layer.k, np.int64) if layer.bias else None, "synthetic")


def run(layer: Layer, given: Tensors, switches: str, cfg: CambriconSConfig = PAPER
        ) -> dict[str, Any]:
    """Cycles, causes and bytes of a layer. Without the static switch, of dense 16-bit weights."""
    from golden.cambricon_s.compile import compile
    from golden.cambricon_s.cycles import cycles
    static, dynamic = SWITCHES[switches]
    if not static:
        most = (1 << (cfg.data_bits - 1)) - 1
        full = np.arange(layer.weight_count).reshape(layer.weights_shape) % most + 1
        given = replace(given, weights=full.astype(np.int16))
    # Outputs decide no cycle: they are taken as zeros.
    program = compile([replace(layer, shift=0)], [given], cfg,
                      known=[np.zeros(layer.outputs_shape, np.int64)], cuts=[cut_for(layer)],
                      switches=Switches(static, dynamic))
    report = cycles(program)
    size = cfg.beat_bytes
    return {"cycles": report.cycles, "causes": report.causes, "macs_done": report.macs_done,
            "issues": report.counters["issues"],
            "index_bytes": report.counters["beats_sib"] * size,
            "synapse_bytes": (report.counters["beats_sb"]
                              + report.counters["beats_codebook"]) * size,
            "neuron_bytes": (report.counters["beats_nbin"]
                             + report.counters["beats_store"]) * size,
            "index_density": program.passes[0].index_density}


def example() -> dict[str, Any]:
    """Section IV's principle: multiplications of one output group of 2 outputs, 8 inputs (ours)."""
    neurons = np.array([3, 0, 5, 1, 0, 0, 2, 4])
    index = np.array([1, 1, 0, 1, 0, 0, 1, 0], bool)
    both = int((index & (neurons != 0)).sum())
    return {"rows": [{"machine": "dense", "multiplications": 2 * len(neurons)},
                     {"machine": "static", "multiplications": 2 * int(index.sum())},
                     {"machine": "static and dynamic", "multiplications": 2 * both}],
            "cause": "The example's figures are ours: the paper's are lost in its text."}


def _entry(name: str, entry: Entry, last: bool, only: tuple[str, ...] = tuple(SWITCHES)
           ) -> dict[str, Any]:
    layer, known = entry.layer, entry.densities

    def make() -> dict[str, Any]:
        given = drawn(layer, known.weights, known.activations, last)
        found = {one: run(layer, given, one) for one in only}
        return {"runs": found, "effectual": effectual_macs(
            layer, given.weights.astype(np.int64), given.activations)}
    return kept("cambricon_s", f"{name} {layer} {known} {only}", make)


def speedup() -> dict[str, Any]:
    """Speed-up over the dense machine: static, dynamic, both; AlexNet, preset paper."""
    rows, entries = [], network("alexnet").entries
    for n, entry in enumerate(progress.steps(entries, len(entries), "speed-up: layers")):
        found = _entry("speedup", entry, n + 1 == len(entries))
        runs = found["runs"]
        dense = runs["dense"]["cycles"]
        rows.append({"layer": entry.layer.name, "dense cycles": dense,
                     **{name: dense / runs[name]["cycles"]
                        for name in ("static", "dynamic", "both")},
                     "ideal": entry.layer.macs / found["effectual"],
                     "index bytes": runs["both"]["index_bytes"],
                     "synapse bytes": runs["both"]["synapse_bytes"]})
    return {"rows": rows, "cause": "Ideal: dense multiplications over those of two operands that "
            "are not zero. FC layers wait for their synapses: neurons that are zero save nothing."}


def bus() -> dict[str, Any]:
    """AlexNet conv3 and fc7 against the width of the bus."""
    entries = {entry.layer.name: entry for entry in network("alexnet").entries}
    rows = []
    for bits in progress.steps(BUSES, len(BUSES), "bus widths"):
        row: dict[str, Any] = {"bits": bits}
        for name in ("conv3", "fc7"):
            layer, known = entries[name].layer, entries[name].densities
            cfg = replace(PAPER, memory_bits=bits)

            def make(layer: Layer = layer, known: Any = known,
                     cfg: CambriconSConfig = cfg) -> dict[str, Any]:
                return run(layer, drawn(layer, known.weights, known.activations), "both", cfg)
            row[name] = kept("cambricon_s", f"bus {bits} {layer} {known} {Memory()}",
                             make)["cycles"]
        rows.append(row)
    return {"rows": rows}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {"example": example, "speedup": speedup,
                                                     "bus": bus}


def reproduce(console: Console, folder: Path | None, only: str | None) -> dict[str, Any]:
    """Prints the sections and returns them; `only` names one."""
    if only is not None and only not in SECTIONS:
        raise ValueError(f"--only must be one of {', '.join(SECTIONS)}, not {only}")
    data = {}
    for name in [only] if only else SECTIONS:
        data[name] = SECTIONS[name]()
        rows = data[name]["rows"]
        title = f"{name}: {(SECTIONS[name].__doc__ or '').splitlines()[0]}"
        console.print(table(title, list(rows[0]), [list(row.values()) for row in rows]))
        if "cause" in data[name]:
            console.print(data[name]["cause"], highlight=False)
    return data
