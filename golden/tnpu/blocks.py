"""What a block of a schedule does: the emitters of its layers, in order."""

from __future__ import annotations

from functools import partial
from typing import Any

from golden.tnpu import emit_conv, emit_fc, emit_gd, emit_pool
from golden.tnpu.network import Network
from golden.tnpu.regions import error_of, input_of, output_of, shapes
from golden.tnpu.schedule import Block, queue_f
from hw.tnpu.config import BLOCK, TNPUConfig

Emitter = partial[None]         # called with a Stream


class Blocks:
    """What a block does: the emitters of its layers, each of which needs the one before stored."""

    def __init__(self, network: Network, cfg: TNPUConfig, batch: int, rate: float,
                 momentum: float, input_error: bool, fc_gradients: str) -> None:
        self.network, self.cfg, self.rate, self.momentum = network, cfg, rate, momentum
        self.convs, self.input_error = network.convs, input_error
        self.batch, self.fc_gradients = batch, fc_gradients

    def banks(self, unit: str) -> int:
        """Banks of S that tiles use: of PU-f's two, `chip` keeps gradients in one."""
        return 1 if unit == "f" and self.fc_gradients == "chip" else 2

    def queue_f(self) -> list[Block]:
        """PU-f's blocks, the batch's own at the end."""
        order = queue_f(self.batch)
        if self.fc_gradients == "batch":
            order = [*(block for block in order if block.phase != "GD"), Block("GD", self.batch)]
        return [*order, Block("WU", self.batch)]

    def kind(self, block: Block) -> tuple[object, ...]:
        """Blocks of a kind have the same emitters."""
        ends = block.phase == "GD" and (block.instance == 0, block.instance == self.batch - 1)
        return block.phase, ends

    def parts(self, unit: str, block: Block) -> list[Emitter]:
        """The emitters, in order."""
        phase = block.phase
        if phase == "GD":
            return self._gd_c(block.instance == 0) if unit == "c" else self._gd_f(block.instance)
        made: list[Emitter] = getattr(self, f"_{phase.lower()}_{unit}")()
        return made

    def _fp_c(self) -> list[Emitter]:
        out: list[Emitter] = []
        for n, layer in enumerate(self.network.layers[:self.convs]):
            out.append(partial(emit_conv.conv_fp, n=n, layer=layer,
                               source=input_of(self.network, n)))
            if layer.pool:
                out.append(partial(emit_pool.pool_fp, n=n, layer=layer))
        return out

    def _fp_f(self) -> list[Emitter]:
        return [partial(emit_fc.fc_fp, n=n, layer=self.network.layers[n], places=self._places(n),
                        source=input_of(self.network, n))
                for n in range(self.convs, len(self.network.layers))]

    def _places(self, n: int) -> int:
        return len(self.network.vector_layout(n))

    def _target(self, n: int) -> dict[str, Any]:
        """Where the error of layer n's input goes, and what masks it: ReLU without pooling."""
        if n == 0:
            return {"target": "input_error", "masked": None}
        below = self.network.layers[n - 1]
        return {"target": error_of(self.network, n),
                "masked": f"y{n - 1}" if below.relu and not below.pool else None}

    def _bp_f(self) -> list[Emitter]:
        last = len(self.network.layers) - 1
        layer = self.network.layers[last]
        out: list[Emitter] = []
        if self.network.loss == "mse":
            values = -(-layer.k // BLOCK) * BLOCK * layer.out_h * layer.out_w
            out.append(partial(emit_fc.loss, output=output_of(self.network),
                               error=f"q{last}" if layer.pool else f"e{last}",
                               words=values // self.cfg.lanes,
                               mask=layer.relu and not layer.pool))
        for n in range(last, self.convs - 1, -1):
            if n or self.input_error:
                out.append(partial(emit_fc.fc_bp, n=n, layer=self.network.layers[n],
                                   places=self._places(n), **self._target(n)))
        return out

    def _bp_c(self) -> list[Emitter]:
        out: list[Emitter] = []
        for n in range(self.convs - 1, -1, -1):
            layer = self.network.layers[n]
            if layer.pool:
                out.append(partial(emit_pool.unpool, n=n, layer=layer))
            if n or self.input_error:
                out.append(partial(emit_conv.conv_bp, n=n, layer=layer, **self._target(n)))
        return out

    def _gd_c(self, first: bool) -> list[Emitter]:
        return [partial(emit_gd.conv_gd, n=n, layer=self.network.layers[n], first_instance=first,
                        source=input_of(self.network, n))
                for n in range(self.convs - 1, -1, -1)]

    def _gd_f(self, instance: int) -> list[Emitter]:
        out: list[Emitter] = []
        at = 0                                          # in the resident bank
        for n in range(len(self.network.layers) - 1, self.convs - 1, -1):
            layer, places = self.network.layers[n], self._places(n)
            common: dict[str, Any] = {"n": n, "layer": layer, "places": places,
                                      "source": input_of(self.network, n)}
            if self.fc_gradients == "batch":
                out.append(partial(emit_fc.fc_gd_batch, batch=self.batch, **common))
            elif self.fc_gradients == "chip":
                out.append(partial(emit_fc.fc_gd_chip, at=at, first_instance=instance == 0,
                                   last_instance=instance == self.batch - 1, **common))
                at += emit_fc.resident_words(layer, places, self.cfg.lanes)
            else:
                out.append(partial(emit_fc.fc_gd, first_instance=instance == 0, **common))
        if at > self.cfg.s_words_f:
            raise ValueError(f"a bank of S of PU-f (s_words_f) must hold the {at} words of the FC "
                             f"layers' gradients to keep them on chip, not {self.cfg.s_words_f}")
        return out

    def _wu_f(self) -> list[Emitter]:
        sizes = shapes(self.network, self.cfg, 1, 1)
        names = [(name, sizes[name][0].values // self.cfg.lanes)
                 for n, layer in enumerate(self.network.layers)
                 for name in ((f"w{n}", f"b{n}") if layer.bias else (f"w{n}",))]
        return [partial(emit_fc.update, names=names, rate=self.rate, momentum=self.momentum)]
