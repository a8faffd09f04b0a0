"""SCNN's place in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golden.dense.dcnn import dcnn_cycles
from golden.layers import Layer
from golden.tensors import Tensors
from hw.scnn.config import PRESETS, SCNNConfig
from sparseforge.registry import Cycles, Dense, Measured, Memory, Shape, Waves


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
        return compile(layers, tensors, config)

    def cycles(self, program: Any, config: SCNNConfig, memory: Memory) -> Cycles:
        raise NotImplementedError

    def simulate(self, programs: Sequence[Any], config: SCNNConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        raise NotImplementedError

    def dense(self, layer: Layer, config: SCNNConfig) -> Dense:
        return Dense("DCNN", dcnn_cycles(layer, config.pe_rows, config.pe_cols, config.lanes),
                     config.multipliers)

    def about(self, program: Any) -> Mapping[str, Any]:
        return {}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.scnn import reproduce
        return reproduce(console, folder, only)


DESIGN = SCNN()
