"""Layers on Cambricon-S and the machines it is compared with: tensors, and what a run takes."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from golden.cambricon_s.emit import Switches
from golden.cambricon_s.quantise import GLOBAL, Submatrices
from golden.layers import Layer, effectual_macs
from golden.tensors import Tensors
from hw.cambricon_s.config import PRESETS, CambriconSConfig
from sparseforge.pruning.networks import CONV_BITS, FC_BITS, block_for
from sparseforge.pruning.synthetic import SUBMATRIX
from sparseforge.reproduce.kept import kept

PAPER = PRESETS["paper"]
CONV_OUTPUTS = 128      # of a sub-matrix of a convolution
PLAIN_BITS = 14         # values of weights without codebooks: more than any codebook holds
DIGITS = 10             # held-out images

# Machine -> static, dynamic, one index for all PEs. "fine": unstructured weights on the machine of
# the paper; "plain": its blocks without codebooks; "x": Cambricon-X.
MACHINES = {"dense": (False, False, True), "static": (True, False, True),
            "dynamic": (False, True, True), "both": (True, True, True), "fine": (True, True, True),
            "x": (True, False, False), "plain": (True, True, True)}


def cut_for(layer: Layer) -> Submatrices:
    """Where a layer's codebooks change. Of an FC layer in even shares of its inputs that a side of
    NBin holds: a segment that lay in two sub-matrices would need the values of both."""
    if not layer.is_fc:
        return Submatrices(outputs=CONV_OUTPUTS)
    granules = -(-layer.c // PAPER.tn)
    shares = -(-granules // PAPER.nbin_granules)
    return Submatrices(outputs=SUBMATRIX, inputs=-(-granules // shares) * PAPER.tn)


def drawn(layer: Layer, weights: float, neurons: float, last: bool = False, seed: int = 0, *,
          fine: bool = False, plain: bool = False) -> Tensors:
    """Synthetic tensors of a layer: `weights`, `neurons` are densities. In the paper's blocks, or
    `fine`-grained; each sub-matrix of `cut_for` with values of its own, or `plain` 16-bit ones."""
    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    block, bits = block_for(layer, last), FC_BITS if layer.is_fc else CONV_BITS
    if fine:
        block = replace(block, fin=1, fout=1)
    k, depth, r, s = layer.weights_shape
    size = layer.k // layer.groups
    mask = np.zeros((layer.groups, -(-size // block.fout), -(-depth // block.fin), r, s), bool)
    flat = mask.reshape(-1)
    flat[rng.permutation(flat.size)[:max(1, round(weights * flat.size))]] = True
    mask = np.repeat(np.repeat(mask, block.fout, 1)[:, :size], block.fin, 2)[:, :, :depth]
    if plain:
        chosen = rng.integers(1, 1 << PLAIN_BITS, layer.weights_shape)
    else:
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


def run(layer: Layer, given: Tensors, machine: str, cfg: CambriconSConfig = PAPER,
        cut: Submatrices = GLOBAL) -> dict[str, Any]:
    """Cycles, causes and bytes of a layer. Without the static switch, of dense 16-bit weights."""
    from golden.cambricon_s.compile import compile
    from golden.cambricon_s.cycles import cycles
    static, dynamic, shared = MACHINES[machine]
    effectual = effectual_macs(layer, given.weights.astype(np.int64), given.activations)
    if not static:
        most = (1 << (cfg.data_bits - 1)) - 1
        full = np.arange(layer.weight_count).reshape(layer.weights_shape) % most + 1
        given = replace(given, weights=full.astype(np.int16))
    # Outputs decide no cycle: they are taken as zeros.
    program = compile([replace(layer, shift=0)], [given], replace(cfg, shared_index=shared),
                      known=[np.zeros(layer.outputs_shape, np.int64)], cuts=[cut],
                      switches=Switches(static, dynamic))
    report = cycles(program)
    size, counters = cfg.beat_bytes, report.counters
    busy = sum(report.causes[name] for name in ("multiply", "view", "exhausted")) // cfg.tm
    return {"cycles": report.cycles, "causes": report.causes, "macs_done": report.macs_done,
            "busy": busy, "ideal": layer.macs / max(1, effectual), "issues": counters["issues"],
            "occupancy": report.macs_done / (cfg.multipliers * report.cycles),
            "bound": max(-(-effectual // cfg.multipliers), report.read_beats, report.write_beats),
            "index_bytes": counters["beats_sib"] * size,
            "synapse_bytes": (counters["beats_sb"] + counters["beats_codebook"]) * size,
            "neuron_bytes": (counters["beats_nbin"] + counters["beats_store"]) * size,
            "index_density": program.passes[0].index_density}


def kept_run(layer: Layer, weights: float, neurons: float, machine: str, last: bool = False,
             cfg: CambriconSConfig = PAPER) -> dict[str, Any]:
    """`run` on `drawn` tensors, computed once."""
    def make() -> dict[str, Any]:
        given = drawn(layer, weights, neurons, last, fine=machine in ("fine", "x"),
                      plain=machine in ("plain", "x"))
        return run(layer, given, machine, cfg, cut_for(layer))
    if machine == "dense":              # whatever the tensors are
        weights = neurons = 1.0
    return kept("cambricon_s", f"run {layer} {weights} {neurons} {machine} {last} {cfg}", make)


def kept_digits(name: str) -> dict[str, Any]:
    """A shipped network over held-out images, layer by layer: speed-ups over the dense machine."""
    def make() -> dict[str, Any]:
        from golden import outputs
        from sparseforge.networks import digits
        from sparseforge.pruning.stored import shipped
        stored, _ = shipped(name)
        images, _ = digits.images()
        total = dict.fromkeys(("dense", "static", "dynamic", "both"), 0)
        zeros = count = 0
        for number in range(DIGITS):
            pixels = np.rint(images[number]).astype(np.int64)
            layers = [one.layer for one in stored]
            given = [Tensors(one.weights, np.zeros(one.layer.activations_shape, np.int64), one.bias)
                     for one in stored]
            given[0] = replace(given[0], activations=pixels.reshape(layers[0].activations_shape))
            results = outputs.outputs(layers, given, PAPER.acc_bits)
            for n, (layer, one) in enumerate(zip(layers, given, strict=True)):
                mine = one if n == 0 else replace(one, activations=results[n - 1].outputs.reshape(
                    layer.activations_shape))
                zeros += int((mine.activations == 0).sum())
                count += mine.activations.size
                for machine in total:
                    total[machine] += run(layer, mine, machine, PAPER, stored[n].cut)["cycles"]
        kept_weights = sum(np.count_nonzero(one.weights) for one in stored)
        return {"network": name, "weights": kept_weights / sum(o.weights.size for o in stored),
                "neurons": 1 - zeros / count, "dense cycles": total["dense"] // DIGITS,
                **{machine: total["dense"] / total[machine] for machine in total
                   if machine != "dense"}}
    return kept("cambricon_s", f"digits {name} {DIGITS}", make)
