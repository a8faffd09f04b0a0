"""The long runs behind ``sparseforge reproduce mnf``: whole networks in the cycle model, kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from golden.dense.dcnn import dcnn_cycles
from golden.layers import Layer, effectual_macs
from golden.mnf.compile import compile
from golden.mnf.cycles import CAUSES, LayerReport, cycles
from golden.program import Memory
from golden.tensors import Tensors, synthetic
from hw.mnf.config import PRESETS
from hw.scnn.config import SCNNConfig
from sparseforge.designs.mnf import DENSE_LANES, dense_grid
from sparseforge.networks.network import network, synthesise_chain
from sparseforge.reproduce.kept import kept

PAPER = PRESETS["paper"]
BINS = 200          # of a heat map


def chain(name: str) -> tuple[list[Layer], list[Tensors]]:
    """A whole network whose activations have nearly the published densities."""
    pairs = list(synthesise_chain(network(name).entries, data_bits=8, acc_bits=PAPER.acc_bits))
    layers = [replace(layer, out_bits=8, shift=None) if n + 1 == len(pairs) else layer
              for n, (layer, _) in enumerate(pairs)]
    return layers, [tensors for _, tensors in pairs]


def event_macs(layer: Layer, activations: np.ndarray) -> int:
    """Multiplications with a non-zero activation, whatever the weight."""
    # All output channels of a group have the same ones.
    few = replace(layer, k=layer.groups)
    return effectual_macs(few, np.ones(few.weights_shape, np.int8), activations) * (
        layer.k // layer.groups)


def whole(name: str) -> dict[str, Any]:
    """A network, events staying on chip: each layer's cycles with weights loaded and resident."""
    return kept("mnf", f"whole {name}", lambda: _whole(name))


def _whole(name: str) -> dict[str, Any]:
    layers, tensors = chain(name)
    known = [*(one.activations for one in tensors[1:]), None]
    loaded = compile(layers, tensors, PAPER, known=known)
    mappings = [next(one.mapping for one in loaded.passes if one.index == n)
                for n in range(len(layers))]
    resident = compile(layers, tensors, PAPER, known=known, resident=True, mappings=mappings)
    runs = cycles(loaded), cycles(resident)
    rows = []
    for n, (layer, given) in enumerate(zip(layers, tensors, strict=True)):
        one, without = (run.layer(n) for run in runs)
        work = event_macs(layer, given.activations)
        rows.append({
            "layer": layer.name, "fc": layer.is_fc, "loaded": one.cycles,
            "resident": without.cycles, "setup": one.setup, "causes": without.causes,
            "work": work, "bound": -(-work // PAPER.multipliers),
            "both": -(-effectual_macs(layer, given.weights, given.activations)
                      // PAPER.multipliers),
            "interior": mappings[n].interior, "channels": mappings[n].remainder,
            "passes": mappings[n].passes, "density": given.activation_density})
    return {"rows": rows, "counters": runs[1].counters,
            "links": runs[1].links.tolist(), "cycles": [run.cycles for run in runs]}


def heat(name: str, layer: str) -> dict[str, Any]:
    """PEs × time with causes, and link load, of a layer alone."""
    return kept("mnf", f"heat {name} {layer}", lambda: _heat(name, layer))


def _heat(name: str, layer_name: str) -> dict[str, Any]:
    (entry,) = (e for e in network(name).entries if e.layer.name == layer_name)
    layer = replace(entry.layer, out_bits=8)
    tensors = synthetic(layer, weight_density=entry.densities.weights, data_bits=8,
                        activation_density=entry.densities.activations, acc_bits=PAPER.acc_bits)
    program = compile(layer, tensors, PAPER)
    whole_run = cycles(program)
    run = cycles(program, width=-(-whole_run.cycles // BINS))
    return {"layer": f"{name} {layer_name}", "cycles": run.cycles, "causes": list(CAUSES),
            "width": run.width, "heat": run.heat[:BINS].tolist(), "links": run.links.tolist(),
            "mesh": [PAPER.mesh_rows, PAPER.mesh_cols]}


def first_of_two(layer: Layer, weights: float, activations: float) -> LayerReport:
    """A layer with synthetic tensors, its weights resident, whose events stay on chip for the next
    one."""
    following = Layer(name="next", c=layer.k, h=layer.out_h, w=layer.out_w, k=1, r=1, s=1,
                      out_bits=8)
    tensors = [synthetic(one, weight_density=weights, activation_density=activations, data_bits=8,
                         acc_bits=PAPER.acc_bits) for one in (layer, following)]
    return cycles(compile([layer, following], tensors, PAPER, resident=True)).layer(0)


def rivals(name: str) -> list[dict[str, Any]]:
    """Each convolution on SCNN and on its dense machine, at the nearest number of multipliers."""
    return kept("mnf", f"rivals {name}", lambda: {"rows": _rivals(name)})["rows"]


def _rivals(name: str) -> list[dict[str, Any]]:
    from golden.scnn.compile import compile as scnn_compile
    from golden.scnn.cycles import cycles as scnn_cycles
    rows, cols = dense_grid(PAPER.multipliers)
    config = SCNNConfig(pe_rows=rows, pe_cols=cols, data_bits=8, acc_bits=32)
    scale = config.multipliers / PAPER.multipliers
    layers, tensors = chain(name)
    out = []
    for layer, given in zip(layers, tensors, strict=True):
        if layer.is_fc:
            continue
        report = scnn_cycles(scnn_compile(layer, given, config), **Memory().as_dict())
        out.append({"layer": layer.name, "scnn": report.cycles_layer * scale,
                    "dense": dcnn_cycles(layer, rows, cols, DENSE_LANES) * scale})
    return out
