"""A network and a batch into a program: what each unit does, in which order, and where it lies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from golden.tnpu import emit_conv, emit_fc, emit_pool
from golden.tnpu.assemble import Instruction
from golden.tnpu.network import Network
from golden.tnpu.program import Piece, Program, place_queues
from golden.tnpu.regions import PAGE, error_of, input_of, lay_out, output_of, shapes
from golden.tnpu.schedule import Block, check, live_instances, queue_c, queue_f
from golden.tnpu.stream import PU_F, Cross, Stream, Token, credits, mask
from hw.tnpu.config import BLOCK, TNPUConfig

PHASES = ("FP", "BP", "GD", "WU")
# The FC layers' gradients: added up in memory, kept in S until the batch ends, or formed at its end
# from every instance's errors and inputs.
FC_GRADIENTS = ("memory", "chip", "batch")
Emitter = Callable[[Stream], None]


class _Blocks:
    """What a block does: the emitters of its layers, each of which needs the one before stored."""

    def __init__(self, network: Network, cfg: TNPUConfig, batch: int, rate: float,
                 momentum: float, input_error: bool, fc_gradients: str) -> None:
        self.network, self.cfg, self.rate, self.momentum = network, cfg, rate, momentum
        self.convs, self.input_error = network.convs, input_error
        self.batch, self.fc_gradients = batch, fc_gradients

    def banks(self, unit: str) -> int:
        """Banks of S that tiles use: of PU-f's two, `chip` keeps gradients in one."""
        return 1 if unit == "f" and self.fc_gradients == "chip" else 2

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
        return [partial(emit_conv.conv_gd, n=n, layer=self.network.layers[n], first_instance=first,
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


def compile(network: Network, cfg: TNPUConfig, batch: int, *, phases: tuple[str, ...] = PHASES,
            **options: Any) -> Program:
    """A program that trains `network` on one batch; `phases` leaves others out.

    `options` are those of `compile_parts`. Raises ValueError for what does not fit the
    configuration.
    """
    if network.loss == "softmax" and {"FP", "BP"} <= set(phases):
        raise ValueError("the host forms the error of loss softmax between FP and BP: they must be "
                         "programs of their own (compile_parts)")
    return _programs(network, cfg, batch, (phases,), **options)[0]


def compile_parts(network: Network, cfg: TNPUConfig, batch: int, **options: Any
                  ) -> tuple[Program, ...]:
    """The programs that train `network` on one batch, one after the other over one memory.

    One; with loss ``softmax`` two, FP and the rest, and between them the host forms the errors
    (`golden/tnpu/host.py`) of all instances, whose activations are all kept.

    Options: `schedule`; `look_ahead`, live instances of `sosm`; `rate`, divided by the batch in
    fp32; `momentum`; `base`, where memory begins; `input_error` has BP go on through the first
    layer, into the region of that name; `fc_gradients`, one of `FC_GRADIENTS`.
    """
    parts = ((PHASES[:1], PHASES[1:]) if network.loss == "softmax" else (PHASES,))
    return _programs(network, cfg, batch, parts, **options)


def _programs(network: Network, cfg: TNPUConfig, batch: int, parts: tuple[tuple[str, ...], ...], *,
              schedule: str = "sosm", look_ahead: int = 3, rate: float = 0.1,
              momentum: float = 0.9, base: int = PAGE, input_error: bool = False,
              fc_gradients: str = "memory") -> tuple[Program, ...]:
    check(schedule, look_ahead)
    if not 1 <= batch <= 1 << 16:
        raise ValueError(f"batch must be 1 to 65536, not {batch}")
    if fc_gradients not in FC_GRADIENTS:
        raise ValueError(f"fc-gradients must be one of {', '.join(FC_GRADIENTS)}, not "
                         f"{fc_gradients!r}")
    if network.loss == "softmax" and schedule != "sosm":
        raise ValueError(f"with loss softmax the host works between FP and BP of the whole batch: "
                         f"the schedule must be sosm, not {schedule}")
    live = batch if network.loss == "softmax" else live_instances(schedule, look_ahead, batch)
    share = float(np.float32(rate) / np.float32(batch))
    blocks = _Blocks(network, cfg, batch, share, momentum, input_error, fc_gradients)
    placed, end = [], base
    for phases in parts:
        queues = {unit: _pieces(blocks, unit, order, live, schedule, phases)
                  for unit, order in (("c", queue_c(batch, live)), ("f", _queue_f(blocks)))}
        counts = {unit: sum(len(piece.instructions) for piece in pieces)
                  for unit, pieces in queues.items()}
        descriptor_at = end
        queue_at, end = place_queues(end, counts, cfg)
        placed.append((queues, descriptor_at, queue_at))
    regions, end = lay_out(network, cfg, batch, live, end, input_error=input_error,
                           kept=fc_gradients == "batch")
    if end > 1 << cfg.addr_bits:
        raise ValueError(f"the batch must fit {1 << cfg.addr_bits} bytes (addr_bits "
                         f"{cfg.addr_bits}), not {end}")
    return tuple(Program(config=cfg, network=network, schedule=schedule, batch=batch, live=live,
                         queues=queues, regions=regions, base=base, end=end,
                         descriptor_at=descriptor_at, queue_at=queue_at)
                 for queues, descriptor_at, queue_at in placed)


def _queue_f(blocks: _Blocks) -> list[Block]:
    """PU-f's blocks, the batch's own at the end."""
    order = queue_f(blocks.batch)
    if blocks.fc_gradients == "batch":
        order = [*(block for block in order if block.phase != "GD"), Block("GD", blocks.batch)]
    return [*order, Block("WU", blocks.batch)]


def _tokens(blocks: _Blocks, unit: str, block: Block, live: int, schedule: str,
            phases: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Tokens between the units that a block waits for and gives, as far as both are there."""
    network, batch = blocks.network, blocks.batch
    fcs = len(network.layers) > network.convs
    if not network.convs:
        return [], []
    multiplexed = schedule == "time_multiplexed" and fcs
    # PU-f's last part of an instance, and the one before PU-c's BP.
    final = "BP" if blocks.fc_gradients == "batch" or not fcs else "GD"
    after = final if multiplexed else "BP"
    alone = multiplexed and final == "BP"           # PU-f's GD of the batch: once PU-c is through
    waits, signals = [], []
    if unit == "c":
        if block.phase == "FP":
            signals = [Cross.FP]
            waits = [Cross.DONE] if fcs and block.instance >= live else []
        elif block.phase == "BP":
            waits = [Cross.BP]
        elif block.instance == batch - 1:
            signals = [Cross.GRADIENTS]
    else:
        if block.phase == ("FP" if fcs else "BP"):
            waits = [Cross.FP]
        if block.phase == after:
            signals = [Cross.BP]
        if fcs and block.phase == final and block.instance < batch - live:
            signals = [*signals, Cross.DONE]
        if block.phase == ("GD" if alone else "WU"):
            waits = [Cross.GRADIENTS]
    ends = {Cross.FP: {"FP", "FP" if fcs else "BP"}, Cross.BP: {after, "BP"},
            Cross.DONE: {final, "FP"}, Cross.GRADIENTS: {"GD", "GD" if alone else "WU"}}
    if network.loss == "softmax" and not fcs:
        ends[Cross.BP] = {"the host's"}             # nothing of BP is PU-f's
    return tuple([int(token) for token in tokens if ends[token] <= set(phases)]  # type: ignore
                 for tokens in (waits, signals))


def _pieces(blocks: _Blocks, unit: str, order: list[Block], live: int, schedule: str,
            phases: tuple[str, ...]) -> list[Piece]:
    """A queue. Blocks that differ in nothing share their instructions."""
    start = credits(blocks.cfg, unit, blocks.banks(unit))
    stored = (0 if unit == "c" else PU_F) + Token.STORED
    start[-1].signal |= mask(stored)
    out = [Piece(Block("start", 0), tuple(start))]
    made: dict[object, tuple[tuple[Instruction, ...], tuple[int, int, frozenset[int]]]] = {}
    state: tuple[int, int, frozenset[int]] = 0, 0, frozenset({stored})
    for block in order:
        if block.phase not in phases:
            continue
        waits, signals = _tokens(blocks, unit, block, live, schedule, phases)
        ends = block.phase == "GD" and (block.instance == 0, block.instance == blocks.batch - 1)
        key = block.phase, state, tuple(waits), tuple(signals), ends
        if key not in made:
            made[key] = _emit(blocks, unit, block, state, waits, signals)
        instructions, state = made[key]
        if instructions:
            out.append(Piece(block, instructions))
    return out


def _emit(blocks: _Blocks, unit: str, block: Block, state: tuple[int, int, frozenset[int]],
          waits: list[int], signals: list[int]
          ) -> tuple[tuple[Instruction, ...], tuple[int, int, frozenset[int]]]:
    """One block. Its end is in memory before the next one loads."""
    half, bank, pending = state
    stream, emitters = Stream(blocks.cfg, unit, half, bank, blocks.banks(unit)), blocks.parts(
        unit, block)
    for token in (*pending, *waits):
        stream.wait_for(token)
    for n, emitter in enumerate(emitters):
        if n:
            stream.barrier()
        emitter(stream)
    if not emitters:
        assert not signals, "a block without instructions cannot signal"
        return (), (half, bank, pending | frozenset(waits))
    stored = stream.token(Token.STORED)
    stream.flush(*signals, stored)
    return tuple(stream.out), (stream.half, stream.bank, frozenset({stored}))
