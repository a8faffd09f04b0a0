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
Emitter = Callable[[Stream], None]


class _Blocks:
    """What a block does: the emitters of its layers, each of which needs the one before stored."""

    def __init__(self, network: Network, cfg: TNPUConfig, rate: float, momentum: float,
                 input_error: bool) -> None:
        self.network, self.cfg, self.rate, self.momentum = network, cfg, rate, momentum
        self.convs, self.input_error = network.convs, input_error

    def parts(self, unit: str, phase: str, first: bool) -> list[Emitter]:
        """The emitters, in order; `first`: of the batch's first instance."""
        if phase == "GD":
            return self._gd(unit, first)
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

    def _gd(self, unit: str, first: bool) -> list[Emitter]:
        layers = self.network.layers
        if unit == "c":
            return [partial(emit_conv.conv_gd, n=n, layer=layers[n], first_instance=first,
                            source=input_of(self.network, n))
                    for n in range(self.convs - 1, -1, -1)]
        return [partial(emit_fc.fc_gd, n=n, layer=layers[n], places=self._places(n),
                        source=input_of(self.network, n), first_instance=first)
                for n in range(len(layers) - 1, self.convs - 1, -1)]

    def _wu_f(self) -> list[Emitter]:
        sizes = shapes(self.network, self.cfg, 1, 1)
        names = [(name, sizes[name][0].values // self.cfg.lanes)
                 for n, layer in enumerate(self.network.layers)
                 for name in ((f"w{n}", f"b{n}") if layer.bias else (f"w{n}",))]
        return [partial(emit_fc.update, names=names, rate=self.rate, momentum=self.momentum)]


def compile(network: Network, cfg: TNPUConfig, batch: int, *, schedule: str = "sosm",
            look_ahead: int = 3, rate: float = 0.1, momentum: float = 0.9, base: int = PAGE,
            phases: tuple[str, ...] = PHASES, input_error: bool = False) -> Program:
    """A program that trains `network` on one batch.

    `rate` is divided by the batch, in fp32. `look_ahead`: live instances of `sosm`. `phases` leaves
    others out; `input_error` has BP go on through the first layer, into the region of that name.
    Raises ValueError for what does not fit the configuration.
    """
    check(schedule, look_ahead)
    if not 1 <= batch <= 1 << 16:
        raise ValueError(f"batch must be 1 to 65536, not {batch}")
    live = live_instances(schedule, look_ahead, batch)
    share = float(np.float32(rate) / np.float32(batch))
    blocks = _Blocks(network, cfg, share, momentum, input_error)
    queues = {"c": _pieces(blocks, "c", queue_c(batch, live), network, live, schedule, phases),
              "f": _pieces(blocks, "f", [*queue_f(batch), Block("WU", batch)], network, live,
                           schedule, phases)}
    counts = {unit: sum(len(piece.instructions) for piece in pieces)
              for unit, pieces in queues.items()}
    queue_at, end = place_queues(base, counts, cfg)
    regions, end = lay_out(network, cfg, batch, live, end, input_error=input_error)
    if end > 1 << cfg.addr_bits:
        raise ValueError(f"the batch must fit {1 << cfg.addr_bits} bytes (addr_bits "
                         f"{cfg.addr_bits}), not {end}")
    return Program(config=cfg, network=network, schedule=schedule, batch=batch, live=live,
                   queues=queues, regions=regions, base=base, end=end, descriptor_at=base,
                   queue_at=queue_at)


def _tokens(unit: str, block: Block, network: Network, live: int, schedule: str, batch_end: bool,
            phases: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """Tokens between the units that a block waits for and gives, as far as both are there."""
    fcs = len(network.layers) > network.convs
    if not network.convs:
        return [], []
    multiplexed = schedule == "time_multiplexed"
    after = "GD" if multiplexed and fcs else "BP"       # PU-f's last part before PU-c's BP
    waits, signals = [], []
    if unit == "c":
        if block.phase == "FP":
            signals = [Cross.FP]
            waits = [Cross.DONE] if fcs and block.instance >= live else []
        elif block.phase == "BP":
            waits = [Cross.BP]
        elif batch_end:
            signals = [Cross.GRADIENTS]
    else:
        if block.phase == ("FP" if fcs else "BP"):
            waits = [Cross.FP]
        if block.phase == after:
            signals = [Cross.BP]
        if fcs and block.phase == "GD" and not batch_end:
            signals = [*signals, Cross.DONE]
        if block.phase == "WU":
            waits = [Cross.GRADIENTS]
    ends = {Cross.FP: {"FP", "FP" if fcs else "BP"}, Cross.BP: {after, "BP"},
            Cross.DONE: {"GD", "FP"}, Cross.GRADIENTS: {"GD", "WU"}}
    return tuple([int(token) for token in tokens if ends[token] <= set(phases)]  # type: ignore
                 for tokens in (waits, signals))


def _pieces(blocks: _Blocks, unit: str, order: list[Block], network: Network, live: int,
            schedule: str, phases: tuple[str, ...]) -> list[Piece]:
    """A queue. Blocks that differ in nothing share their instructions."""
    cfg, batch = blocks.cfg, 1 + max(block.instance for block in order if block.phase != "WU")
    start = credits(cfg, unit)
    stored = (0 if unit == "c" else PU_F) + Token.STORED
    start[-1].signal |= mask(stored)
    out = [Piece(Block("start", 0), tuple(start))]
    made: dict[object, tuple[tuple[Instruction, ...], tuple[int, int, frozenset[int]]]] = {}
    state: tuple[int, int, frozenset[int]] = 0, 0, frozenset({stored})
    present = [block for block in order if block.phase in phases]
    for block in present:
        emitters = blocks.parts(unit, block.phase, block.instance == 0)
        waits, signals = _tokens(unit, block, network, live, schedule,
                                 block.instance >= (batch - live if block.phase == "GD"
                                                    and unit == "f" else batch - 1), phases)
        key = (block.phase, state, tuple(waits), tuple(signals),
               block.instance == 0 and block.phase == "GD")
        if key not in made:
            made[key] = _emit(cfg, unit, emitters, state, waits, signals)
        instructions, state = made[key]
        if instructions:
            out.append(Piece(block, instructions))
    return out


def _emit(cfg: TNPUConfig, unit: str, emitters: list[Emitter],
          state: tuple[int, int, frozenset[int]], waits: list[int], signals: list[int]
          ) -> tuple[tuple[Instruction, ...], tuple[int, int, frozenset[int]]]:
    """One block. Its end is in memory before the next one loads."""
    half, bank, pending = state
    stream = Stream(cfg, unit, half, bank)
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
