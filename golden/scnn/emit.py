"""What EMIT leaves in the output RAMs, and how long the PPUs take: from which outputs are zero.

Independent of values: a mask of the non-zero outputs decides rows, placeholders and stalls. The
cycles are those of ``hw/scnn/ppu.py``, ``window.py`` and ``run_length.py`` by their docstrings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from golden.jit import njit
from hw.scnn.config import SCNNConfig

NEVER = -1
AVERAGE = 2     # descriptor field `pool`


class Encoded(NamedTuple):
    """Activations in the PEs' RAMs: rows of I positions, NEVER for zeros."""

    start: np.ndarray        # int32 [PEs, channels]: first row, an index into `position`
    count: np.ndarray        # type: ignore[assignment]  # int32 [PEs, channels]
    position: np.ndarray     # int32 [rows, I]: in the tile of the PE, pitch of the reading layer


class Emitted(NamedTuple):
    """A layer's outputs in the OARAMs and what emitting each group took."""

    encoded: Encoded
    done: np.ndarray         # int64 [PEs, groups]: cycles from `start` until `done` is seen


class _Axis(NamedTuple):
    """Per PE row or column."""

    pooled: np.ndarray
    origin: np.ndarray       # first pooled coordinate
    phase: np.ndarray


def _axis(tiles: list[Mapping[str, int]]) -> _Axis:
    pooled = np.array([tile["pooled"] for tile in tiles], np.int64)
    return _Axis(pooled, np.cumsum(pooled) - pooled,
                 np.array([tile["phase"] for tile in tiles], np.int64))


@njit
def _channel(mask, row, col, r, c, start_r, start_c, geometry, waiting, position, at):
    """Encodes one (channel, phase) of a PE: (rows, stalls, placeholders of its last sample).

    `waiting`: placeholders of the sample just before, which a division may hide.
    Positions go to `position` from row `at` on, unless that array is empty.
    """
    stride, pitch, longest, width, taps, divide = geometry[4:]
    elements, following, stalls = 0, 0, 0
    for y in range(start_r, row.pooled[r], stride):
        for x in range(start_c, col.pooled[c], stride):
            stalls += divide - (min(waiting, divide) if taps == 1 else 0)
            waiting = 0
            if not mask[row.origin[r] + y, col.origin[c] + x]:
                continue
            here = (row.phase[r] + y) // stride * pitch + (col.phase[c] + x) // stride
            waiting = (here - following) // longest
            stalls += waiting
            elements += waiting
            following = here + 1
            if len(position):
                position[at + elements // width, elements % width] = here
            elements += 1
    return (elements + width - 1) // width, stalls, waiting


@njit
def _encode(mask, row, col, geometry, start, count, position, steps, stalls):
    """Walks over all PEs and channels; returns the rows. Fills `position` unless it is empty.

    geometry: kc, phases_rows, phases_cols, phases, stride, pitch, longest, width, taps, divide.
    """
    kc, phases_rows, phases_cols, phases, stride = geometry[:5]
    taps = geometry[8]
    total, waiting = 0, 0
    for pe in range(start.shape[0]):
        r, c = pe // len(col.pooled), pe % len(col.pooled)
        for k in range(mask.shape[0] if col.pooled[c] else 0):
            group = k // kc
            if k % kc == 0:                         # each group is an EMIT of its own
                waiting = 0
            for start_r in range(min(stride, row.pooled[r])):
                phase_r = (row.phase[r] + start_r) % stride
                for start_c in range(min(stride, col.pooled[c])):
                    phase_c = (col.phase[c] + start_c) % stride
                    if phase_r >= phases_rows or phase_c >= phases_cols:
                        steps[pe, group] += 1
                        waiting = 0
                        continue
                    rows, stalled, waiting = _channel(
                        mask[k], row, col, r, c, start_r, start_c, geometry, waiting, position,
                        total)
                    steps[pe, group] += (((row.pooled[r] - start_r - 1) // stride + 1)
                                         * ((col.pooled[c] - start_c - 1) // stride + 1) * taps)
                    stalls[pe, group] += stalled
                    channel = k * phases + phase_r * phases_cols + phase_c
                    start[pe, channel], count[pe, channel] = total, rows
                    total += rows
    return total


def encode(mask: np.ndarray, descriptor: Mapping[str, Any], config: SCNNConfig) -> Emitted:
    """The OARAMs after a layer whose outputs are non-zero where `mask` ``[K, H, W]`` is True.

    `mask` covers what the PEs own: the tiles' pooled rows and columns one after the other.
    `descriptor` maps ``hw/scnn/descriptor.py``'s fields to values, ``rows`` and ``cols`` to lists
    of tiles. Raises ValueError if the mask is of another size.
    """
    row, col = _axis(descriptor["rows"]), _axis(descriptor["cols"])
    channels = descriptor["kc"] * (descriptor["groups"] - 1) + descriptor["kc_last"]
    shape = channels, int(row.pooled.sum()), int(col.pooled.sum())
    if mask.shape != shape:
        raise ValueError(f"mask must be of shape {list(shape)}, not {list(mask.shape)}")
    phases = descriptor["next_phases_rows"], descriptor["next_phases_cols"]
    divide = config.data_bits + 1 if descriptor["pool"] == AVERAGE else 0
    geometry = (descriptor["kc"], *phases, phases[0] * phases[1], descriptor["next_stride"],
                descriptor["next_pitch"], 1 << config.index_bits, config.mults_i,
                descriptor["pool_kernel"] ** 2, divide)
    start = np.zeros((config.pes, channels * phases[0] * phases[1]), np.int32)
    count = np.zeros_like(start)
    arguments = np.ascontiguousarray(mask, np.bool_), row, col, geometry, start, count
    steps = np.zeros((2, config.pes, descriptor["groups"]), np.int64)
    stalls = np.zeros_like(steps)
    rows = _encode(*arguments, np.zeros((0, config.mults_i), np.int32), steps[0], stalls[0])
    position = np.full((rows, config.mults_i), NEVER, np.int32)
    _encode(*arguments, position, steps[1], stalls[1])
    done = np.where(steps[0] > 0, steps[0] + 6 + stalls[0], 1)
    return Emitted(Encoded(start, count, position), done)
