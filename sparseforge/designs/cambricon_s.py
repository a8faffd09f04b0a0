"""Cambricon-S's place in the registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from golden.layers import Layer
from golden.program import Memory
from golden.tensors import Tensors
from hw.cambricon_s.config import PRESETS, CambriconSConfig
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Shape, Waves


class CambriconS:
    """See `sparseforge.registry.Design`."""

    name = "cambricon_s"
    title = "Cambricon-S: an index that Tm outputs share, neurons that are zero left out"
    paper = "Zhou et al., MICRO 2018"
    busy_cause = "multiply"

    def presets(self) -> Mapping[str, CambriconSConfig]:
        return PRESETS

    def shape(self, config: CambriconSConfig) -> Shape:
        return Shape(config.multipliers, config.tm, config.data_bits, config.acc_bits,
                     config.memory_bits, blocks=_blocks(config))

    def top(self, config: CambriconSConfig) -> Any:
        from hw.cambricon_s.top import Top
        return Top(config)

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors],
                config: CambriconSConfig) -> Any:
        from golden.cambricon_s.compile import compile
        # In a chain a layer's outputs are the next one's activations.
        known = [*(given.activations for given in tensors[1:]), None]
        return compile(layers, tensors, config, known=known)

    def cycles(self, program: Any, config: CambriconSConfig, memory: Memory) -> Cycles:
        from golden.cambricon_s.cycles import cycles
        report = cycles(program, **memory.as_dict())
        shares, before = [], 0
        for n, one in enumerate(report.passes):
            end = report.cycles if n + 1 == len(report.passes) else one.end + 1
            rest = end - before - (one.end - one.begin)
            causes = {**one.causes, "idle": one.causes["idle"] + rest * config.tm}
            shares.append(LayerCycles(
                end - before, end - before, one.counters["lanes"] * config.tm // config.selectors,
                causes,
                {**_bytes(one.counters, config), **_of(program.passes[n])}))
            before = end
        return Cycles(report.cycles, report.cycles, report.macs_done, report.causes,
                      report.read_beats, report.write_beats, shares,
                      {**_bytes(report.counters, config)})

    def simulate(self, programs: Sequence[Any], config: CambriconSConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        from sim.cambricon_s.run import RTL
        from sparseforge.rtl import simulate
        runs = simulate(RTL, programs, config, memory, macs="lanes", simulator=simulator,
                        seed=seed, waves=waves)
        each = config.tm // config.selectors        # PEs that a lane counts for
        return [replace(run, cycles=replace(run.cycles, macs_done=run.cycles.macs_done * each))
                for run in runs]

    def dense(self, layer: Layer, config: CambriconSConfig) -> Dense:
        """The same machine with both switches off, on 16-bit weights none of which is zero."""
        from golden.cambricon_s.compile import compile
        from golden.cambricon_s.cycles import cycles
        from golden.cambricon_s.emit import Switches
        most = (1 << (config.data_bits - 1)) - 1
        weights = np.arange(1, layer.weight_count + 1).reshape(layer.weights_shape) % most + 1
        given = Tensors(weights.astype(np.int16), np.ones(layer.activations_shape, np.int64),
                        np.zeros(layer.k, np.int64) if layer.bias else None)
        program = compile([replace(layer, shift=0)], [given], config,
                          known=[np.zeros(layer.outputs_shape, np.int64)],
                          switches=Switches(static=False, dynamic=False))
        return Dense("Cambricon-S, both switches off", cycles(program).cycles, config.multipliers)

    def about(self, program: Any) -> Mapping[str, Any]:
        """The shared index's density beside the weights'; how the layers were cut."""
        return {"index_density": [one.index_density for one in program.passes],
                "instructions": [one.words for one in program.passes],
                "tilings": [vars(one.tiling) for one in program.passes],
                "remarks": [text for text in map(_remark, program.passes) if text]}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.cambricon_s import reproduce
        return reproduce(console, folder, only)


def _blocks(config: CambriconSConfig) -> Callable[[Layer], tuple[int, int, int, int]]:
    """The paper's blocks, made for this many PEs: Tm outputs in a convolution, 2·Tm × 2·Tm in an FC
    layer; with an index per PE, none."""
    def block(layer: Layer) -> tuple[int, int, int, int]:
        if not config.shared_index:
            return 1, 1, 1, 1
        return (2 * config.tm, 2 * config.tm, 1, 1) if layer.is_fc else (1, config.tm, 1, 1)
    return block


def _bytes(counters: Mapping[str, int], config: CambriconSConfig) -> dict[str, Any]:
    """Bytes of the index, of synapses with their codebooks, of neurons."""
    size = config.beat_bytes
    synapses = counters["beats_sb"] + counters["beats_codebook"]
    return {"index_bytes": counters["beats_sib"] * size, "synapse_bytes": synapses * size,
            "neuron_bytes": (counters["beats_nbin"] + counters["beats_store"]) * size,
            "instruction_bytes": counters["beats_ib"] * size, "issues": counters["issues"]}


def _of(one: Any) -> dict[str, Any]:
    return {"index_density": one.index_density, "tiling": vars(one.tiling)}


def _weight_density(one: Any) -> float:
    kept = sum(np.count_nonzero(weights) for weights in one.stage.weights)
    return float(kept / one.layer.weight_count)


def _remark(one: Any) -> str | None:
    """What a user must know of weights that are not pruned in blocks."""
    weights = _weight_density(one)
    if one.index_density <= 2 * weights:
        return None
    return (f"{one.layer.name}: the index that {one.stage.cfg.tm} outputs share has a density of "
            f"{one.index_density:.3f}, the weights of {weights:.3f}: prune them in blocks "
            f"(--weight-block, sparseforge prune)")


DESIGN = CambriconS()
