"""The queues of `time_multiplexed`: both units are one pool that works at one layer at a time.

A layer's phase is a *step*. A convolution's is cut between the units, in proportion to their rows
of PEs; everything else is its own unit's. A step begins when what the units did in the one before
it is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from golden.tnpu import emit_conv, emit_gd
from golden.tnpu.assemble import Instruction
from golden.tnpu.blocks import Blocks, Emitter
from golden.tnpu.program import Piece
from golden.tnpu.regions import blocks as channel_blocks
from golden.tnpu.schedule import Block
from golden.tnpu.stream import PU_F, Cross, Stream, Token, credits
from hw.tnpu.config import TNPUConfig

# Tokens for a unit, by who was at the step before.
SEEN = {("c", "c"): int(Token.STORED), ("f", "f"): PU_F + Token.STORED,
        ("c", "f"): int(Cross.FP), ("f", "c"): int(Cross.BP)}


class Step(NamedTuple):
    """Who does what, and a key: steps that share it share their instructions."""

    block: Block
    parts: dict[str, Emitter]
    kind: tuple[object, ...]


def cut(total: int, cfg: TNPUConfig) -> int:
    """How many of `total` equal pieces PU-c takes, so that both are done as early as can be."""
    c, f = cfg.rows("c"), cfg.rows("f")
    return min(range(total + 1), key=lambda n: (max(n * f, (total - n) * c), -n))


def _pieces_of(emitter: partial[None]) -> int:
    """Into how many equal pieces an emitter's work can be cut; 0 if it is no convolution's."""
    layer = emitter.keywords["layer"]
    c, k = (channel_blocks(side // layer.groups) for side in (layer.c, layer.k))
    pieces = {emit_conv.conv_fp: k * layer.ho, emit_conv.conv_bp: c * layer.h,
              emit_gd.conv_gd: k * c}
    return int(layer.groups * pieces.get(emitter.func, 0))


def _parts(emitter: partial[None], blocks: Blocks) -> dict[str, Emitter]:
    """A convolution's emitter cut in two, if PU-f's buffers hold its part."""
    total = _pieces_of(emitter)
    mine = cut(total, blocks.cfg) if total else 0
    if mine == total:
        return {"c": emitter}
    lent = partial(emitter, part=(mine, total))
    try:
        lent(Stream(blocks.cfg, "f", banks=blocks.banks("f")))
    except ValueError:
        return {"c": emitter}
    return {"f": lent} if not mine else {"c": partial(emitter, part=(0, mine)), "f": lent}


def _steps(blocks: Blocks, phases: tuple[str, ...]) -> Iterator[Step]:
    """A batch, layer by layer."""
    cuts: dict[tuple[object, ...], dict[str, Emitter]] = {}
    for unit, block in _order(blocks):
        if block.phase not in phases:
            continue
        for n, emitter in enumerate(blocks.parts(unit, block)):
            kind = unit, n, *blocks.kind(block)
            if kind not in cuts:
                cuts[kind] = _parts(emitter, blocks) if unit == "c" else {"f": emitter}
            yield Step(block, cuts[kind], kind)


def _order(blocks: Blocks) -> Iterator[tuple[str, Block]]:
    """Blocks, and whose layers they are."""
    last = blocks.queue_f()
    for n in range(blocks.batch):
        yield "c", Block("FP", n)
        for phase in ("FP", "BP", "GD"):
            if Block(phase, n) in last:
                yield "f", Block(phase, n)
        yield from (("c", Block(phase, n)) for phase in ("BP", "GD"))
    yield from (("f", block) for block in last if block.instance == blocks.batch)


def queues(blocks: Blocks, phases: tuple[str, ...]) -> dict[str, list[Piece]]:
    """Both units' queues."""
    out = {unit: [Piece(Block("start", 0), tuple(credits(blocks.cfg, unit, blocks.banks(unit))))]
           for unit in "cf"}
    state = {"c": (0, 0), "f": (0, 0)}
    made: dict[object, tuple[tuple[Instruction, ...], tuple[int, int]]] = {}
    steps = list(_steps(blocks, phases))
    who = [(), *(tuple(step.parts) for step in steps), ()]
    for before, step, after in zip(who, steps, who[2:], strict=False):
        for unit, emitter in step.parts.items():
            waits = [SEEN[other, unit] for other in before]
            signals = [SEEN[unit, other] for other in after]
            key = unit, step.kind, state[unit], tuple(waits), tuple(signals)
            if key not in made:
                made[key] = _emit(blocks, unit, emitter, state[unit], waits, signals)
            instructions, state[unit] = made[key]
            lent = unit == "f" and step.kind[0] == "c"
            out[unit].append(Piece(step.block._replace(lent=lent), instructions))
    return out


def _emit(blocks: Blocks, unit: str, emitter: Emitter, state: tuple[int, int], waits: list[int],
          signals: list[int]) -> tuple[tuple[Instruction, ...], tuple[int, int]]:
    stream = Stream(blocks.cfg, unit, *state, blocks.banks(unit))
    for token in waits:
        stream.wait_for(token)
    emitter(stream)
    stream.flush(*signals)
    return tuple(stream.out), (stream.half, stream.bank)
