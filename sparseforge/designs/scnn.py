"""SCNN's place in the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from golden.dense.dcnn import dcnn_cycles
from golden.layers import Layer
from golden.tensors import Tensors
from hw.scnn.config import PRESETS, SCNNConfig
from sparseforge.errors import RunFailed, user_input
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Memory, Shape, Waves

LIMIT = 1 << 26         # cycles of a run: far beyond any real one; the shell's watchdog is sooner


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
        report = cycles(program, **asdict(memory))
        shares = [report.layer(n) for n in range(len(program.layers))]
        beat = config.memory_bits // 8
        return Cycles(
            report.cycles, report.cycles_layer, report.products, report.causes,
            report.read_bytes // beat, report.write_bytes // beat,
            [LayerCycles(s.cycles, s.cycles_layer, s.products, s.causes) for s in shares],
            {"barrier_remainder": report.remainder,
             "barrier_imbalance": report.causes["barrier"] - report.remainder,
             "vectors": report.vectors})

    def simulate(self, programs: Sequence[Any], config: SCNNConfig, memory: Memory, *,
                 simulator: str, seed: int = 1, waves: Waves | None = None) -> list[Measured]:
        import sim.scnn.run as run
        from golden.scnn.layer import Memory as ItsMemory
        most = max(len(s.image) for program in programs for s in program.segments)
        room = {} if most <= _room(simulator) else {"memory_bytes": 1 << (most - 1).bit_length()}
        window = {"waves": _window(waves)} if waves else {}
        build = run.build_top(config, simulator, **room, **window)
        runs = run.run_programs(build, programs, memory=ItsMemory(**asdict(memory)), seed=seed,
                                max_cycles=LIMIT, **window)
        return [_measured(one) for one in runs]

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


def _room(simulator: str) -> int:
    from sim.common.program import MEMORY_BYTES
    return MEMORY_BYTES[simulator]


def _window(waves: Waves) -> Any:
    from sim.common.waves import Waves as Window
    with user_input():
        return Window(Path(waves.file), waves.start, waves.stop, waves.scope)


def _measured(run: Any) -> Measured:
    """A run of `sim.scnn.run` in the registry's terms. RunFailed if the hardware reports one."""
    for n, (code, info) in enumerate(run.errors):
        if code:
            raise RunFailed(f"the hardware stopped with error {code}, info {info:#x}, in segment "
                            f"{n}")
    import numpy as np
    outputs: list[Any] = []
    for index in range(len(run.program.layers)):
        stored = any(one.index == index and one.stores for one in run.program.passes)
        images = run.outputs(index) if stored else None
        # A batch runs image by image, or as the plane of one layer that computes all of them.
        outputs.append(None if images is None else
                       images[0] if len(images) == 1 else np.stack(images))
    causes = run.causes
    return Measured(Cycles(sum(run.cycles), sum(run.cycles), run.products, causes,
                           sum(r.read_beats for r in run.results),
                           sum(r.write_beats for r in run.results)), outputs, run.wall_s)


DESIGN = SCNN()
