"""SCNN's place in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golden.dense.dcnn import dcnn_cycles
from golden.layers import Layer
from golden.program import Memory
from golden.tensors import Tensors
from hw.scnn.config import PRESETS, SCNNConfig
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Shape, Waves
from sparseforge.rtl import simulate


class SCNN:
    """See `sparseforge.registry.Design`."""

    name = "scnn"
    title = "SCNN: Cartesian products of non-zero weights and activations"
    paper = "Parashar et al., ISCA 2017"
    busy_cause = "multiply"

    def presets(self) -> Mapping[str, SCNNConfig]:
        return PRESETS

    def shape(self, config: SCNNConfig) -> Shape:
        return Shape(config.multipliers, config.pes, config.data_bits, config.acc_bits,
                     config.memory_bits)

    def top(self, config: SCNNConfig) -> Any:
        from hw.scnn.top import Top
        return Top(config)

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors],
                config: SCNNConfig) -> Any:
        from golden.scnn.compile import compile
        # In a chain a layer's outputs are the next one's activations.
        known = [*(given.activations for given in tensors[1:]), None]
        return compile(layers, tensors, config, known=known)

    def cycles(self, program: Any, config: SCNNConfig, memory: Memory) -> Cycles:
        from golden.scnn.cycles import cycles
        report = cycles(program, **memory.as_dict())
        shares = [report.layer(n) for n in range(len(program.layers))]
        beat = config.memory_bits // 8
        return Cycles(
            report.cycles, report.cycles_layer, report.products, report.causes,
            report.read_bytes // beat, report.write_bytes // beat,
            [LayerCycles(s.cycles, s.cycles_layer, s.products, s.causes) for s in shares],
            {"vectors": report.vectors},
            {"barrier": {"planar remainder": report.remainder,
                         "sparsity imbalance": report.causes["barrier"] - report.remainder}})

    def simulate(self, programs: Sequence[Any], config: SCNNConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        from sim.scnn.run import RTL
        return simulate(RTL, programs, config, memory, macs="products", simulator=simulator,
                        seed=seed, waves=waves)

    def dense(self, layer: Layer, config: SCNNConfig) -> Dense:
        return Dense("DCNN", dcnn_cycles(layer, config.pe_rows, config.pe_cols, config.lanes),
                     config.multipliers)

    def about(self, program: Any) -> Mapping[str, Any]:
        """Kc, the passes (descriptors), and into how many DRAM tiles the plane most cut is cut."""
        tiles: dict[tuple[int, int], set[str]] = {}
        for one in program.passes:
            tiles.setdefault((one.index, one.image), set()).add(str(one.outputs[1:]))
        return {"kc": sorted({one.kc for one in program.passes}), "passes": len(program.passes),
                "segments": len(program.segments), "tiles": max(map(len, tiles.values()))}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.scnn import reproduce
        return reproduce(console, folder, only)


DESIGN = SCNN()
