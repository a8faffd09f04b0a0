"""TNPU's cover points: what its tests must have seen happen (see `sim.common.cover`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from golden.layers import Layer
from golden.tnpu.assemble import Instruction
from golden.tnpu.schedule import SCHEDULES
from hw.tnpu.config import BLOCK
from hw.tnpu.instruction import Op, Opcode
from sim.common.cover import Point, bus_points

_WAITS = "ask__{0}[0] & ~grant__{0}"
POINTS = (
    Point("PU-c waits for tokens", "tnpu_engine_semaphores", _WAITS.format(0)),
    Point("PU-f waits for tokens", "tnpu_engine_semaphores", _WAITS.format(2)),
    Point("PU-c's transfer waits for tokens", "tnpu_engine_semaphores", _WAITS.format(1)),
    Point("PU-f's transfer waits for tokens", "tnpu_engine_semaphores", _WAITS.format(3)),
    Point("both units begin in the same cycle", "tnpu_engine_semaphores", "grant__0 & grant__2"),
    Point("three ask for the bus at once", "tnpu_engine_dma", "request__0__valid & "
          "request__1__valid & (request__2__valid | request__3__valid)"),
    Point("the bus is in debt", "tnpu_engine_dma_rate", "~allowed[0]"),
    Point("eight reads under way", "tnpu_engine_dma_reads", "~i__ready"),
    Point("eight writes under way", "tnpu_engine_dma_answers", "~i__ready"),
    *(Point(f"PU-{unit}'s queue of {fifo} is full", f"tnpu_engine_control_{unit}_{fifo}",
            "~i__ready") for unit in "cf" for fifo in ("compute", "transfers")),
    Point("PU-c reads beyond the plane", "tnpu_engine_control_c_nest", "running & outside"),
    *(Point(f"PU-{unit} writes a NaN", f"tnpu_engine_unit_{unit}", "nans != 0") for unit in "cf"),
    Point("an address beyond a buffer of PU-f", "tnpu_engine_unit_f", "range_error"),
    Point("PU-f and DMA at the same bank", "tnpu_engine_unit_f", "bank_error"),
    Point("a semaphore overflows", "tnpu_engine_semaphores", "overflow"),
    *bus_points("tnpu"),
)

Fact = Callable[[Any], bool]


def _layer(holds: Callable[[Layer], bool], below: int = 0) -> Fact:
    """Some layer of the network has it; of those with at least `below` layers before them."""
    return lambda batch: any(map(holds, batch.program.network.layers[below:]))


def _conv(holds: Callable[[Layer], bool], below: int = 0) -> Fact:
    return _layer(lambda layer: not layer.is_fc and holds(layer), below)


def _instruction(holds: Callable[[Instruction], bool]) -> Fact:
    return lambda batch: any(holds(one) for pieces in batch.program.queues.values()
                             for piece in pieces for one in piece.instructions)


def _does(opcode: Opcode, op: Op | None = None) -> Fact:
    return _instruction(lambda one: one.opcode == opcode and (
        op is None or one.fields.get("op", 0) == op))


def _phases(layer: Layer) -> bool:
    """BP visits several stride phases, each with taps."""
    return 1 < layer.stride <= min(layer.r, layer.s)


FACTS: dict[str, Fact] = {
    **{f"schedule {name}": (lambda batch, name=name: batch.program.schedule == name)  # type: ignore
       for name in SCHEDULES},
    **{f"opcode {opcode.name}": _does(opcode) for opcode in Opcode},
    **{f"VECTOR {op.name}": _does(Opcode.VECTOR, op) for op in Op},
    "a batch of one": lambda batch: batch.program.batch == 1,
    "memory of an instance used again": lambda batch: batch.program.batch > batch.program.live,
    "convolutions alone": lambda batch: batch.program.network.convs == len(
        batch.program.network.layers),
    "FC layers alone": lambda batch: not batch.program.network.convs,
    "rows and columns differ": _conv(lambda layer: layer.r != layer.s),
    "uneven padding": _conv(lambda layer: len(set(layer.pads)) > 1),
    "a kernel of more than five rows": _conv(lambda layer: layer.r > 5),
    "stride": _conv(lambda layer: layer.stride > 1),
    "BP in stride phases": _conv(_phases, below=1),
    "BP of a stride beyond the kernel": _conv(
        lambda layer: layer.stride > min(layer.r, layer.s), below=1),
    "groups": _conv(lambda layer: layer.groups > 1),
    "several blocks of inputs": _conv(lambda layer: layer.c > BLOCK),
    "several blocks of outputs": _conv(lambda layer: layer.k > BLOCK),
    "a layer without bias": _layer(lambda layer: not layer.bias),
    "max pooling, windows apart": _conv(lambda layer: bool(
        layer.pool and layer.pool.kind == "max" and layer.pool.s >= layer.pool.k > 1)),
    "max pooling, windows that overlap": _conv(lambda layer: bool(
        layer.pool and layer.pool.kind == "max" and layer.pool.s < layer.pool.k)),
    "average pooling": _conv(lambda layer: bool(layer.pool and layer.pool.kind == "avg")),
    "PU-f works at a convolution": lambda batch: any(
        piece.block.lent for piece in batch.program.queues["f"]),
    "strided transfers": _instruction(lambda one: one.transfer and one.fields["chunks"] > 1),
}
