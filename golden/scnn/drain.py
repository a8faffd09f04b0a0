"""How long the drain of an output-channel group takes: halo steps, EMIT, CLEAR.

The steps are those of ``hw/scnn/sequencer.py`` (`DrainSequencer`), each as long as its slowest PE.
Halo steps depend on the layer's geometry alone; only a send that waits for its accumulator bank
needs stepping, which is done PE by PE in the direction of travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from golden.jit import njit
from golden.scnn.crossbar import bank_of
from hw.scnn.config import SCNNConfig

Descriptor = Mapping[str, Any]


class Strip(NamedTuple):
    """What one PE sends and receives in a halo step, in sums: rows of `segment`."""

    rows: int
    segment: int
    sends: int          # first address sent
    receives: int       # first address received


class Halo(NamedTuple):
    """A halo step: how often, whether along rows, whether towards lower indices."""

    name: str
    hops: int
    horizontal: bool
    backward: bool


def halos(descriptor: Descriptor) -> list[Halo]:
    """The halo steps of a layer, in order; steps of no hops are left out."""
    once = {name: int(descriptor[name] > 0) for name in ("overlap_cols", "overlap_rows")}
    steps = [
        Halo("LEFT", descriptor["hops_left"], True, True),
        Halo("RIGHT", descriptor["hops_right"], True, False),
        Halo("UP", descriptor["hops_up"], False, True),
        Halo("DOWN", descriptor["hops_down"], False, False),
        Halo("COPY_LEFT", once["overlap_cols"], True, True),
        Halo("COPY_UP", once["overlap_rows"], False, True),
    ]
    return [step for step in steps if step.hops]


def strip(name: str, layer: Descriptor, row: Descriptor, col: Descriptor) -> Strip:
    """The strip of a PE with these tiles."""
    kc, origin = layer["kc"], layer["origin"]
    left, overlap = layer["halo_left"] * kc, layer["overlap_cols"] * kc
    width, height = col["size_sums"], row["size_sums"]
    return {
        "LEFT": Strip(layer["window_rows"], left, 0, width),
        "RIGHT": Strip(layer["window_rows"], layer["halo_right"] * kc, left + width, left),
        "UP": Strip(layer["halo_up"], width, left, left + height),
        "DOWN": Strip(layer["halo_down"], width, origin + height, origin),
        "COPY_LEFT": Strip(row["size"], overlap, origin, origin + width),
        "COPY_UP": Strip(layer["overlap_rows"], width + overlap, origin, origin + height),
    }[name]


@njit
def _pass(strip, row_stride, bank_bits, incoming, receives, sent):
    """One PE: sends its strip while sums sent in `incoming` arrive. Fills `sent`; returns done.

    Cycles count from the step's `start`; a sum sent in t arrives in t + 1.
    """
    rows, segment, send_from, receive_at = strip
    cycle, got = 1, 0
    for n in range(rows * segment):
        bank = bank_of(send_from + n // segment * row_stride + n % segment, bank_bits)
        while True:
            while got < receives and incoming[got] + 1 < cycle:
                got += 1
            if got == receives or incoming[got] + 1 > cycle:
                break
            address = receive_at + got // segment * row_stride + got % segment
            if bank_of(address, bank_bits) != bank:
                break
            cycle += 1
        sent[n] = cycle
        cycle += 1
    last = sent[rows * segment - 1] if rows * segment else 0
    if receives:
        last = max(last, incoming[receives - 1] + 1)
    return last + 1


def halo_done(halo: Halo, descriptor: Descriptor, config: SCNNConfig) -> int:
    """Cycles from `start` until all PEs are seen done with one hop of a halo step."""
    shape = config.pe_rows, config.pe_cols
    lanes, length = shape if halo.horizontal else shape[::-1]
    latest = 1
    for lane in range(lanes):
        along = range(length)
        sent = np.zeros(0, np.int64)
        for n in reversed(along) if halo.backward else along:
            r, c = (lane, n) if halo.horizontal else (n, lane)
            mine = strip(halo.name, descriptor, descriptor["rows"][r], descriptor["cols"][c])
            incoming, sent = sent, np.zeros(mine.rows * mine.segment, np.int64)
            done = _pass(tuple(mine), descriptor["row_stride"], config.bank_bits, incoming,
                         min(len(incoming), len(sent)), sent)
            latest = max(latest, done)
    return latest


def clear_done(descriptor: Descriptor, config: SCNNConfig) -> int:
    """Cycles from `start` until CLEAR is seen done."""
    return ((descriptor["window_sums"] - 1) >> config.bank_bits) + 2


def clear_all_cycles(config: SCNNConfig) -> int:
    """Cycles from one CLEAR_ALL's request to the next one's (or to going on)."""
    return config.acc_entries + 5


def drain_cycles(descriptor: Descriptor, config: SCNNConfig, emit_done: np.ndarray) -> np.ndarray:
    """Cycles of each group's drain, int64 [groups]: from the drain's start to seen idle.

    With `start` high in cycle s the drain is idle in cycle s + 1 + this. `emit_done` int64
    ``[PEs, groups]`` is `golden.scnn.emit.Emitted.done`. Each step costs its longest PE and one.
    """
    fixed = clear_done(descriptor, config) + 1
    for halo in halos(descriptor):
        fixed += halo.hops * (halo_done(halo, descriptor, config) + 1)
    return fixed + emit_done.max(axis=0) + 1
