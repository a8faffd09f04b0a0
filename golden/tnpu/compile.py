"""A network and a batch into a program: what each unit does, in which order, and where it lies."""

from __future__ import annotations

from typing import Any

import numpy as np

from golden.tnpu import pool
from golden.tnpu.assemble import Instruction
from golden.tnpu.blocks import Blocks
from golden.tnpu.network import Network
from golden.tnpu.program import Piece, Program, place_queues
from golden.tnpu.regions import PAGE, lay_out
from golden.tnpu.schedule import Block, check, live_instances, queue_c
from golden.tnpu.stream import PU_F, Cross, Stream, Token, credits, mask
from hw.tnpu.config import TNPUConfig

PHASES = ("FP", "BP", "GD", "WU")
# The FC layers' gradients: added up in memory, kept in S until the batch ends, or formed at its end
# from every instance's errors and inputs.
FC_GRADIENTS = ("memory", "chip", "batch")


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
    blocks = Blocks(network, cfg, batch, share, momentum, input_error, fc_gradients)
    placed, end = [], base
    for phases in parts:
        queues = pool.queues(blocks, phases) if schedule == "time_multiplexed" else {
            unit: _pieces(blocks, unit, order, live, phases)
            for unit, order in (("c", queue_c(batch, live)), ("f", blocks.queue_f()))}
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


def _tokens(blocks: Blocks, unit: str, block: Block, live: int, phases: tuple[str, ...]
            ) -> tuple[list[int], list[int]]:
    """Tokens between the units that a block waits for and gives, as far as both are there."""
    network, batch = blocks.network, blocks.batch
    fcs = len(network.layers) > network.convs
    if not network.convs:
        return [], []
    # PU-f's last part of an instance.
    final = "BP" if blocks.fc_gradients == "batch" or not fcs else "GD"
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
        if block.phase == "BP":
            signals = [Cross.BP]
        if fcs and block.phase == final and block.instance < batch - live:
            signals = [*signals, Cross.DONE]
        if block.phase == "WU":
            waits = [Cross.GRADIENTS]
    ends = {Cross.FP: {"FP", "FP" if fcs else "BP"}, Cross.BP: {"BP"},
            Cross.DONE: {final, "FP"}, Cross.GRADIENTS: {"GD", "WU"}}
    if network.loss == "softmax" and not fcs:
        ends[Cross.BP] = {"the host's"}             # nothing of BP is PU-f's
    return tuple([int(token) for token in tokens if ends[token] <= set(phases)]  # type: ignore
                 for tokens in (waits, signals))


def _pieces(blocks: Blocks, unit: str, order: list[Block], live: int, phases: tuple[str, ...]
            ) -> list[Piece]:
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
        waits, signals = _tokens(blocks, unit, block, live, phases)
        key = blocks.kind(block), state, tuple(waits), tuple(signals)
        if key not in made:
            made[key] = _emit(blocks, unit, block, state, waits, signals)
        instructions, state = made[key]
        if instructions:
            out.append(Piece(block, instructions))
    return out


def _emit(blocks: Blocks, unit: str, block: Block, state: tuple[int, int, frozenset[int]],
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
