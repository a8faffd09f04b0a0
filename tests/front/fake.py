"""A tiny design that needs no RTL: one multiplier per PE, one product of non-zeros per cycle."""

from dataclasses import dataclass

import numpy as np

from golden import layers
from golden.dense.dcnn import dcnn_cycles
from sparseforge.registry import Cycles, Dense, LayerCycles, Measured, Shape


@dataclass(frozen=True, kw_only=True)
class FakeConfig:
    pes: int = 4
    acc_bits: int = 24
    name: str = "x"
    fast: bool = False
    scale: float = 1.0

    def __post_init__(self):
        if self.pes < 1:
            raise ValueError(f"pes must be at least 1, not {self.pes}")


class Fake:
    """`wrong` makes the RTL's outputs differ, `late` its cycles."""

    name, title, paper, busy_cause = "fake", "Fake", "nobody, nowhere", "multiply"

    def __init__(self, wrong=0, late=0, lie=0):
        self.wrong, self.late, self.lie = wrong, late, lie

    def presets(self):
        return {"paper": FakeConfig(), "small": FakeConfig(pes=1)}

    def shape(self, config):
        return Shape(config.pes, config.pes, 16, config.acc_bits, 64)

    def compile(self, layers_, tensors, config):
        for layer in layers_:
            assert layer.shift is not None
            if layer.r > 11:
                raise ValueError(f"{layer.name}: r must be at most 11, not {layer.r}")
        return list(zip(layers_, tensors, strict=True))

    def cycles(self, program, config, memory):
        each = [self._layer(layer, t, config, memory) for layer, t in program]
        stalls = {cause: sum(x.stalls[cause] for x in each) for cause in ("multiply", "load")}
        total = sum(x.cycles for x in each)
        return Cycles(total, total - memory.latency, sum(x.macs_done for x in each), stalls,
                      3, 1, each)

    def _layer(self, layer, t, config, memory):
        macs = layers.effectual_macs(layer, t.weights, t.activations)
        cycles = -(-macs // config.pes) + memory.latency
        idle = cycles * config.pes - macs - self.lie
        return LayerCycles(cycles, cycles - memory.latency, macs, {"multiply": macs, "load": idle})

    def simulate(self, programs, config, memory, *, simulator, seed=1, waves=None):
        return [self._run(program, config, memory) for program in programs]

    def _run(self, program, config, memory):
        outputs = [layers.reference(x, t.weights, t.activations, t.bias, config.acc_bits,
                                    allow_overflow=True).outputs for x, t in program]
        outputs[-1].flat[:self.wrong] += 1
        predicted = self.cycles(program, config, memory)
        stalls = dict(predicted.stalls)
        stalls["load"] += self.late * config.pes
        run = Cycles(predicted.cycles + self.late, predicted.cycles_layer, predicted.macs_done,
                     stalls, 3, 1, predicted.layers)
        return Measured(run, [None] * (len(outputs) - 1) + [np.array(outputs[-1])], 0.1)

    def dense(self, layer, config):
        return Dense("dcnn", dcnn_cycles(layer, config.pes, 1, 1), config.pes)

    def top(self, config):
        from hw.common.stream.register import Register
        return Register(8)

    def about(self, program):
        return {"passes": len(program)}

    def reproduce(self, console, folder, only):
        console.print("table I")
        return {"table": 1}
