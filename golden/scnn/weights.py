"""Weights and biases as lines: run-length blocks by (group, channel)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.formats import run_length
from golden.jit import njit
from golden.scnn.activations import empty_lines, fill_channels
from golden.scnn.geometry import Span
from golden.scnn.program import ALL, BIAS, NEVER, WEIGHT, LineTable
from hw.scnn.config import SCNNConfig


@dataclass(frozen=True)
class Taps:
    """Non-zero weights of a layer after the split by stride, in order of output channel."""

    k: np.ndarray           # output channel
    channel: np.ndarray     # input channel, phases counted
    tap: np.ndarray         # flipped: rr · S' + ss
    value: np.ndarray
    size: int               # R' · S'
    outputs: int            # K
    channels: int

    def of(self, first: int, last: int) -> Taps:
        """Those of output channels [first, last)."""
        a, b = np.searchsorted(self.k, (first, last))
        return Taps(self.k[a:b] - first, self.channel[a:b], self.tap[a:b], self.value[a:b],
                    self.size, last - first, self.channels)


def taps(weights: np.ndarray, groups: int, rows: Span, cols: Span) -> Taps:
    """Non-zero weights of [K, C/groups, R, S]."""
    outputs, depth = weights.shape[:2]
    k, c, r, s = np.nonzero(weights)
    channel = k // (outputs // groups) * depth + c
    nr, nc = rows.phases, cols.phases
    channel = (channel * nr + r % rows.stride) * nc + s % cols.stride
    tap = (rows.kernel - 1 - r // rows.stride) * cols.kernel + cols.kernel - 1 - s // cols.stride
    return Taps(k, channel, tap, weights[k, c, r, s].astype(np.int64),
                rows.kernel * cols.kernel, outputs, depth * groups * nr * nc)


class Blocks:
    """The blocks of (group, channel) at one kc: ascending, those without weights left out."""

    def __init__(self, weights: Taps, kc: int, config: SCNNConfig) -> None:
        span = weights.size * kc
        block = weights.k // kc * weights.channels + weights.channel
        position = weights.tap * kc + weights.k % kc
        order = np.argsort(block * span + position)
        self.elements = run_length.encode(block[order], position[order], weights.value[order],
                                          config.index_bits)
        self.kc, self.groups, self.channels = kc, -(-weights.outputs // kc), weights.channels
        self.ids, self.lengths = np.unique(self.elements.block, return_counts=True)
        self.slots = -(-self.lengths // config.mults_f)

    @property
    def largest(self) -> int:
        """Slots of the largest block."""
        return int(self.slots.max(initial=0))


@njit
def _broadcast(group, channel, slots, groups, biases, bus, limit):
    """First line and slot of each block; first line of each group; lines in all."""
    line = np.zeros(len(group), np.int64)
    slot = np.zeros(len(group), np.int64)
    begin = np.zeros(groups + 1, np.int64)
    at, n = 0, 0
    for g in range(groups):
        begin[g] = at
        filled, before = biases % bus, -1
        at += biases // bus
        if filled == 0 and biases > 0:                   # the last line is full
            at, filled = at - 1, bus
        while n < len(group) and group[n] == g:
            far = before >= 0 and channel[n] - before > 15
            straddles = (filled + slots[n] + bus - 1) // bus > limit
            if filled == bus or far or straddles:
                at, filled = at + 1, 0
            line[n], slot[n] = at, filled
            end = filled + slots[n] - 1
            at, filled = at + end // bus, end % bus + 1
            before = channel[n]
            n += 1
        at += 1
    begin[groups] = at
    return line, slot, begin


@njit
def _unicast(group, pe, channel, slots, groups, biases, bus, pes):
    """As `_broadcast`, for blocks sorted by (group, PE, channel): the PEs take turns.

    A turn is one line, or the lines of a block that does not fit into one (it begins its own).
    """
    line = np.zeros(len(group), np.int64)
    slot = np.zeros(len(group), np.int64)
    begin = np.zeros(groups + 1, np.int64)
    next_ = np.zeros(pes, np.int64)
    stop = np.zeros(pes, np.int64)
    at, n = 0, 0
    for g in range(groups):
        begin[g] = at
        at += (biases + bus - 1) // bus
        next_[:] = 0
        stop[:] = 0
        left = 0
        while n < len(group) and group[n] == g:
            p = pe[n]
            if stop[p] == 0:
                next_[p] = n
            n += 1
            stop[p] = n
            left += 1
        while left:
            for p in range(pes):
                if next_[p] == stop[p]:
                    continue
                filled, before = 0, -1
                while next_[p] < stop[p]:
                    b = next_[p]
                    far = before >= 0 and channel[b] - before > 15
                    if filled and (far or filled + slots[b] > bus):
                        break
                    line[b], slot[b] = at, filled
                    end = filled + slots[b] - 1
                    at, filled = at + end // bus, end % bus + 1
                    before = channel[b]
                    next_[p] += 1
                    left -= 1
                at += 1
        begin[g + 1] = at
    return line, slot, begin


def weight_lines(blocks: Blocks, bias: np.ndarray, split: bool, config: SCNNConfig) -> LineTable:
    """The weight section: per group its biases, then its blocks; the last line ends the group.

    `bias` int64 [groups · kc]. `split`: channel g goes to PE g mod PEs as its channel g div PEs.
    """
    bus, groups, kc = config.weight_bus, blocks.groups, blocks.kc
    per_group = -(-kc // config.biases_per_slot)
    group, channel = np.divmod(blocks.ids, blocks.channels)
    order = np.arange(len(group))
    pe = np.full(len(group), ALL)
    if split:
        channel, pe = np.divmod(channel, config.pes)
        order = np.lexsort((channel, pe, group))
    args = group[order], channel[order], blocks.slots[order], groups, per_group, bus
    if split:
        line, slot, begin = _unicast(args[0], pe[order], *args[1:], config.pes)
    else:
        line, slot, begin = _broadcast(*args, config.fifo_lines)
    table = empty_lines(int(begin[-1]), config)
    table.end_group[begin[1:] - 1] = True
    flat = np.empty(len(group), np.int64)               # first slot of each block, lines end to end
    flat[order] = line * bus + slot
    _fill_weights(table, blocks, flat, channel, pe, config)
    return _fill_biases(table, bias.reshape(groups, kc), begin, per_group, config)


def _fill_weights(table: LineTable, blocks: Blocks, flat: np.ndarray, channel: np.ndarray,
                  pe: np.ndarray, config: SCNNConfig) -> None:
    bus, f = config.weight_bus, config.mults_f
    source = np.repeat(np.arange(len(flat)), blocks.slots)
    at = np.arange(len(source)) - np.repeat(np.cumsum(blocks.slots) - blocks.slots, blocks.slots)
    where = np.divmod(flat[source] + at, bus)
    table.kind[where] = WEIGHT
    table.first[where], table.last[where] = at == 0, at == blocks.slots[source] - 1
    table.channel[where] = channel[source]
    table.target[where[0]] = pe[source]
    e = blocks.elements
    block = np.searchsorted(blocks.ids, e.block)
    place, lane = flat[block] + e.index // f, e.index % f
    to = place // bus, place % bus, lane
    table.value[to], table.run[to] = e.value, e.run
    table.position[to] = np.where(e.value != 0, e.position, NEVER)
    fill_channels(table)


def _fill_biases(table: LineTable, bias: np.ndarray, begin: np.ndarray, per_group: int,
                 config: SCNNConfig) -> LineTable:
    n, groups = config.biases_per_slot, len(bias)
    padded = np.zeros((groups, per_group * n), np.int64)
    padded[:, :bias.shape[1]] = bias
    at = (begin[:-1, None] * config.weight_bus + np.arange(per_group)).reshape(-1)
    line, slot = np.divmod(at, config.weight_bus)
    table.kind[line, slot] = BIAS
    for s in reversed(range(config.weight_bus - 1)):     # no step from a bias to the first block
        here = table.kind[:, s] == BIAS
        table.channel[here, s] = table.channel[here, s + 1]
    return table._replace(bias=padded.reshape(-1, n))
