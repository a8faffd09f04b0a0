"""MNF's place in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from pathlib import Path
from typing import Any

from golden.dense.dcnn import dcnn_cycles
from golden.layers import Layer
from golden.program import Memory
from golden.tensors import Tensors
from hw.mnf.config import PRESETS, MNFConfig
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Shape, Waves
from sparseforge.rtl import simulate

DENSE_LANES = 16        # multipliers of a PE of the dense machine


class MNF:
    """See `sparseforge.registry.Design`."""

    name = "mnf"
    title = "MNF: events of non-zero activations, multiplied and fired on a mesh of PEs"
    paper = "Yu et al., Multiply-and-Fire"
    busy_cause = "compute"

    def presets(self) -> Mapping[str, MNFConfig]:
        return PRESETS

    def shape(self, config: MNFConfig) -> Shape:
        return Shape(config.multipliers, config.pes, config.data_bits, config.acc_bits,
                     config.memory_bits)

    def top(self, config: MNFConfig) -> Any:
        from hw.mnf.top import Top
        return Top(config)

    def compile(self, layers: Sequence[Layer], tensors: Sequence[Tensors],
                config: MNFConfig) -> Any:
        from golden.mnf.compile import compile
        # In a chain a layer's outputs are the next one's activations.
        known = [*(given.activations for given in tensors[1:]), None]
        return compile(layers, tensors, config, known=known)

    def cycles(self, program: Any, config: MNFConfig, memory: Memory) -> Cycles:
        from golden.mnf.cycles import cycles
        report = cycles(program, memory)
        shares = [report.layer(n) for n in range(len(program.layers))]
        return Cycles(
            report.cycles, report.cycles_layer, report.counters["macs"], report.causes,
            report.read_beats, report.write_beats,
            [LayerCycles(s.cycles, s.cycles_layer, s.macs, s.causes,
                         {"setup_cycles": s.setup}) for s in shares],
            {"setup_cycles": sum(s.setup for s in shares),
             **{name: report.counters[name] for name in ("pixels", "events", "fired", "spilled")}})

    def simulate(self, programs: Sequence[Any], config: MNFConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        from sim.mnf.top import RTL
        return simulate(RTL, programs, config, memory, macs="macs", simulator=simulator,
                        seed=seed, waves=waves)

    def dense(self, layer: Layer, config: MNFConfig) -> Dense:
        """SCNN's dense machine of about as many multipliers."""
        rows, cols = dense_grid(config.multipliers)
        return Dense("DCNN", dcnn_cycles(layer, rows, cols, DENSE_LANES),
                     rows * cols * DENSE_LANES)

    def about(self, program: Any) -> Mapping[str, Any]:
        """The lane maps, what they leave idle, and how the layers are dealt."""
        from golden.mnf.sparse import lane_load
        config, rows = program.config, []
        for index in range(len(program.layers)):
            own = [one for one in program.passes if one.index == index]
            m = own[0].mapping
            rows.append({
                "layer": m.layer.name, "map": f"{m.lanes.pr}×{m.lanes.pc}×{m.lanes.kl}",
                "lanes_interior": m.interior, "channels": m.remainder, "passes": m.passes,
                "pes": m.pes, "band_rows": m.height, "drains_beside": m.sides == 2,
                # With weight sparsity: mean over maximum load of a lane.
                **({"lane_load": lane_load(own, config)} if config.weight_sparse else {})})
        loads = ", ".join(f"{row['layer']} {row['lane_load']:.0%}" for row in rows
                          if "lane_load" in row)
        return {"mapping": rows, **({"remarks": [
            f"load of a lane with weights that are not 0, mean over maximum: {loads}"]}
            if loads else {})}

    def reproduce(self, console: Any, folder: Path | None, only: str | None) -> dict[str, Any]:
        from sparseforge.reproduce.mnf import reproduce
        return reproduce(console, folder, only)


def dense_grid(multipliers: int) -> tuple[int, int]:
    """Rows and columns of PEs of `DENSE_LANES` multipliers: of the numbers of PEs within 5 % of
    `multipliers` (or the nearest one) that which is most nearly a square."""
    nearest = max(1, round(multipliers / DENSE_LANES))
    near = [pes for pes in range(1, 2 * nearest + 1) if pes == nearest
            or abs(pes * DENSE_LANES - multipliers) <= 0.05 * multipliers]
    grids = [(rows, pes // rows) for pes in near for rows in range(1, isqrt(pes) + 1)
             if pes % rows == 0]
    return min(grids, key=lambda grid: grid[1] / grid[0])


DESIGN = MNF()
