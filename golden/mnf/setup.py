"""The flits that set a pass up: only what its PEs do not hold already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden.layers import Layer
from golden.mnf.fire import drain_setting
from golden.mnf.image import Block, pack
from golden.mnf.mapping import Mapping
from golden.mnf.passes import Share, words
from golden.mnf.sections import port_of
from golden.mnf.settings import dispatch_setting, load_setting
from golden.mnf.sparse import Lists, lists
from golden.tensors import Tensors
from hw.mnf import fields
from hw.mnf.config import MNFConfig
from hw.mnf.fields import CONFIG_BITS, WEIGHT_POINTER, Kind

ZEROS = "zeros"


@dataclass
class Held:
    """What a PE holds when a pass is set up; unknown at first."""

    registers: list[int] | None = None
    weights: Any = None
    biases: list[Any] = field(default_factory=lambda: [None, None])
    side: int = 0               # of `biases`, that is filled next


class SetUp:
    """Keeps what the PEs hold over the passes of a program."""

    def __init__(self, config: MNFConfig, resident: bool) -> None:
        self.config, self.resident = config, resident
        self.held = [Held() for _ in range(config.pes)]
        self.sets = 0               # sets of sums so far

    def blocks(self, mapping: Mapping, index: int, layer: Layer, tensors: Tensors,
               shares: list[Share]) -> list[Block]:
        """Registers, biases and weights of a pass, in this order."""
        registers = self._registers(mapping, layer, shares)
        fresh = self._weights(index, layer, tensors, shares)
        pointers = sum(block.dest for block in fresh if block.kind == Kind.WEIGHT)
        if pointers:
            registers.append(Block(Kind.CONFIG, pointers, [_config(WEIGHT_POINTER, 0)]))
        biases = self._biases(index, layer, tensors, shares) if shares[0].fires else []
        self.sets += shares[0].fires
        return [*registers, *biases, *fresh]

    def _registers(self, mapping: Mapping, layer: Layer, shares: list[Share]) -> list[Block]:
        """Those that change, or the first one: each pass writes one. By the PEs that get them."""
        config = self.config
        base = self.sets % mapping.sides * (config.acc_entries // mapping.sides)
        group = fields.pass_fields(config)
        found: dict[tuple[int, int], int] = {}
        for pe, share in enumerate(shares):
            word = pack(group, {
                "fires": int(share.fires), "waits": int(mapping.sides == 1),
                "load": load_setting(share.lanes, config, base),
                "dispatch": dispatch_setting(share.lanes, config),
                "drain": drain_setting(share, layer, 0, base)})
            values = [word >> at & (1 << CONFIG_BITS) - 1
                      for at in range(0, fields.width(group), CONFIG_BITS)]
            before = self.held[pe].registers
            changed = [n for n, value in enumerate(values) if not before or before[n] != value]
            self.held[pe].registers = values
            for n in changed or [0]:
                found[n, values[n]] = found.get((n, values[n]), 0) | 2 << pe
        together: dict[int, list[int]] = {}
        for (n, value), dest in found.items():
            together.setdefault(dest, []).append(_config(n, value))
        return [Block(Kind.CONFIG, dest, payloads) for dest, payloads in together.items()]

    def _biases(self, index: int, layer: Layer, tensors: Tensors,
                shares: list[Share]) -> list[Block]:
        """Zeros for all at once if the layer has none."""
        found: dict[Any, int] = {}
        for pe, share in enumerate(shares):
            held, count = self.held[pe], share.k[1] - share.k[0]
            first = share.group * (layer.k // layer.groups) + share.k[0]
            key = (ZEROS, count) if tensors.bias is None else (index, first, count)
            before = held.biases[held.side]
            there = before == key or (before and before[0] == key[0] == ZEROS
                                      and before[1] >= count)
            if not there:
                held.biases[held.side] = key
                found[key] = found.get(key, 0) | 2 << pe
            held.side ^= 1
        if tensors.bias is None:
            if not found:
                return []
            # The longest list does for everyone: what it holds beyond is not looked at.
            return [Block(Kind.BIAS, sum(found.values()),
                          [_config(n, 0) for n in range(max(count for _, count in found))])]
        return [Block(Kind.BIAS, dest, [
            _config(n, int(tensors.bias[first + n]) & (1 << CONFIG_BITS) - 1)
            for n in range(count)]) for (_, first, count), dest in found.items()]

    def _weights(self, index: int, layer: Layer, tensors: Tensors,
                 shares: list[Share]) -> list[Block]:
        """Words that are not in the SRAM yet; PEs that need the same ones get them together."""
        found: dict[Any, int] = {}
        own: dict[Any, Share] = {}
        for pe, share in enumerate(shares):
            key = index, share.group, share.k, share.c, share.lanes.groups
            if self.held[pe].weights == key:
                continue
            self.held[pe].weights = key
            found[key] = found.get(key, 0) | 2 << pe
            own[key] = share
        if self.resident:
            return []
        if self.config.weight_sparse:
            return [block for key, dest in found.items() for block in _lists(
                lists(own[key], layer, tensors.weights, self.config), dest)]
        return [Block(Kind.WEIGHT, dest,
                      words(own[key], layer, tensors.weights.astype(np.int16), self.config.lanes))
                for key, dest in found.items()]


def _lists(found: Lists, dest: int) -> Iterator[Block]:
    """A table of pointers, and the words if there are any."""
    yield Block(Kind.POINTER, dest, [
        _config(n, int(start) | int(count) << 16)
        for n, (start, count) in enumerate(zip(found.start, found.count, strict=True))])
    if len(found.words):
        yield Block(Kind.WEIGHT, dest, found.words)


def _config(address: int, value: int) -> int:
    return pack(fields.config_fields(), {"address": address, "value": value})


def interleave(blocks: list[Block], config: MNFConfig) -> np.ndarray:
    """The order of the lines, int64 [lines, 2]: block after block, but for weights: those for
    different ports in turns, so that ports send side by side."""
    plain: list[np.ndarray] = []
    queues: dict[frozenset[int], list[np.ndarray]] = {}
    for n, block in enumerate(blocks):
        count = len(block.counts(config))
        own = np.column_stack([np.full(count, n), np.arange(count)])
        if block.kind != Kind.WEIGHT:
            plain.append(own)
            continue
        ports = frozenset(port_of(config, node) for node in range(1, config.nodes)
                          if block.dest >> node & 1)
        queues.setdefault(ports, []).append(own)
    rows = [np.concatenate(queue) for queue in queues.values()]
    if rows:
        # Line n of every queue before line n + 1 of any.
        at = np.concatenate([np.arange(len(row)) for row in rows])
        plain.append(np.concatenate(rows)[np.argsort(at, kind="stable")])
    return np.concatenate(plain).astype(np.int64)
