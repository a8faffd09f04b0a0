"""Tiles, halos and windows along one axis of the plane (README, "Geometry of a layer")."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise


@dataclass(frozen=True, kw_only=True)
class Span:
    """One axis of a convolution with pooling: counts of cells, padding before the first."""

    inputs: int
    pad: int
    stride: int
    taps: int
    outputs: int            # of the convolution
    pool_kernel: int = 1
    pool_stride: int = 1
    pool_pad: int = 0       # the first window starts this far before output 0
    pooled: int

    @property
    def phases(self) -> int:
        return min(self.stride, self.taps)

    @property
    def kernel(self) -> int:
        """Taps after the split by stride."""
        return -(-self.taps // self.stride)

    @property
    def begin(self) -> int:
        """Position of input 0."""
        return self.pad // self.stride

    @property
    def end(self) -> int:
        """One past the position of the last input."""
        return (self.inputs + self.pad - 1) // self.stride + 1

    def cut(self, first: int, last: int) -> tuple[Span, int]:
        """The part that makes pooled cells [first, last), and its first input."""
        start = first * self.pool_stride - self.pool_pad
        low = max(0, start)
        high = min(self.outputs, (last - 1) * self.pool_stride - self.pool_pad + self.pool_kernel)
        x = max(0, low * self.stride - self.pad)
        stop = min(self.inputs, (high - 1) * self.stride + self.taps - self.pad)
        count = max(0, stop - x)
        return replace(self, inputs=count, pad=self.pad + x - low * self.stride if count else 0,
                       outputs=high - low, pool_pad=low - start, pooled=last - first), x

    def at_start(self, q: int) -> int:
        """First output of the tile whose first pooled cell is q."""
        if q >= self.pooled:
            return self.outputs
        return min(max(q * self.pool_stride - self.pool_pad, 0), self.outputs) if q else 0

    def pooled_bounds(self, pes: int, used: int | None = None) -> tuple[int, ...]:
        """Pooled cells dealt evenly to `used` PEs; by default to as many as pooling allows.

        A pooling window may reach into the next PE's tile, never beyond it. PEs that get none lie
        on both sides of the others, near whose outputs their inputs are; a lone owner is the first.
        """
        if used is None:
            used = min(pes, self.pooled)
            while not self._neighbours_only(self.pooled_bounds(pes, used)):
                used -= 1
        skip = (pes - used) // 2 if used > 1 else 0
        return tuple(min(max(j - skip, 0), used) * self.pooled // used for j in range(pes + 1))

    def output_bounds(self, q: Sequence[int]) -> tuple[int, ...]:
        return tuple(self.at_start(cell) for cell in q)

    def overlap(self, q: Sequence[int]) -> tuple[int, ...]:
        """Outputs that each PE needs from the one after it."""
        o = self.output_bounds(q)
        out = []
        for j in range(len(q) - 1):
            reach = (q[j + 1] - 1) * self.pool_stride - self.pool_pad + self.pool_kernel
            out.append(max(0, min(reach, self.outputs) - o[j + 1]) if q[j + 1] > q[j] else 0)
        return tuple(out)

    def _neighbours_only(self, q: Sequence[int]) -> bool:
        o = self.output_bounds(q)
        sizes = [b - a for a, b in pairwise(o)]
        return all(need <= size for need, size in zip(self.overlap(q), sizes[1:], strict=False))

    def input_bounds(self, o: Sequence[int]) -> tuple[int, ...]:
        """Input cells dealt in proportion to the output boundaries o."""
        positions = self.end - self.begin
        return self._cells(at * positions // self.outputs for at in o)

    def even_bounds(self, pes: int, used: int) -> tuple[int, ...]:
        """Input cells dealt evenly to the first `used` PEs."""
        positions = self.end - self.begin
        return self._cells(min(j, used) * positions // used for j in range(pes + 1))

    def _cells(self, positions: Iterable[int]) -> tuple[int, ...]:
        """Input cells that begin at these positions after the first; first and last are fixed."""
        cells = [(self.begin + at) * self.stride - self.pad for at in positions]
        return (0, *(min(max(cell, 0), self.inputs) for cell in cells[1:-1]), self.inputs)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A span cut into tiles, one per PE row (column). Lists are by PE."""

    span: Span
    x: tuple[tuple[int, int], ...]      # input cells [first, last) that each PE holds
    q: tuple[int, ...]                  # pooled boundaries, one more than PEs
    o: tuple[int, ...]                  # output boundaries

    @property
    def pes(self) -> int:
        return len(self.x)

    @cached_property
    def filled(self) -> tuple[int, ...]:
        """PEs that hold inputs."""
        return tuple(j for j, (a, b) in enumerate(self.x) if b > a)

    @cached_property
    def c(self) -> tuple[int, ...]:
        """Position of each tile's first cell."""
        return tuple((a + self.span.pad) // self.span.stride for a, _ in self.x)

    @cached_property
    def e(self) -> tuple[int, ...]:
        """One past the position of each tile's last cell."""
        return tuple((b + self.span.pad - 1) // self.span.stride + 1 if b > a else c
                     for (a, b), c in zip(self.x, self.c, strict=True))

    @property
    def width(self) -> tuple[int, ...]:
        """Positions of each input tile."""
        return tuple(e - c for c, e in zip(self.c, self.e, strict=True))

    @property
    def phase(self) -> tuple[int, ...]:
        """Phase of each tile's first cell."""
        return tuple((a + self.span.pad) % self.span.stride for a, _ in self.x)

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(b - a for a, b in pairwise(self.o))

    @property
    def pooled(self) -> tuple[int, ...]:
        return tuple(b - a for a, b in pairwise(self.q))

    @cached_property
    def halo_before(self) -> int:
        taps = self.span.kernel - 1
        return max([0, *(self.o[j] + taps - self.c[j] for j in self.filled)])

    @cached_property
    def halo_after(self) -> int:
        return max([0, *(self.e[j] - self.o[j + 1] for j in self.filled)])

    def _owner(self, output: int) -> int:
        return next(j for j in range(self.pes) if self.o[j] <= output < self.o[j + 1])

    @cached_property
    def hops_before(self) -> int:
        """Steps towards lower indices until every sum of the plane is with its owner."""
        hops = [0]
        for j in self.filled:
            low = max(0, self.c[j] - self.span.kernel + 1)
            if low < min(self.o[j], self.e[j], self.span.outputs):
                hops.append(j - self._owner(low))
        return max(hops)

    @cached_property
    def hops_after(self) -> int:
        hops = [0]
        for j in self.filled:
            high = min(self.span.outputs, self.e[j]) - 1
            if high >= max(self.o[j + 1], self.c[j] - self.span.kernel + 1):
                hops.append(self._owner(high) - j)
        return max(hops)

    @cached_property
    def overlap(self) -> int:
        return max(self.span.overlap(self.q))

    @cached_property
    def window(self) -> int:
        """Window rows (columns, then called pitch)."""
        own = self.halo_before + max(self.size) + max(self.halo_after, self.overlap)
        return max(own, self.span.kernel)

    @property
    def base(self) -> tuple[int, ...]:
        """Window coordinate at which position 0 with flipped tap 0 lands; 0 for empty tiles."""
        taps = self.span.kernel - 1
        return tuple(self.c[j] - taps - self.o[j] + self.halo_before if j in self.filled else 0
                     for j in range(self.pes))

    @property
    def pool_pad(self) -> tuple[int, ...]:
        s = self.span
        return tuple(self.o[j] - (self.q[j] * s.pool_stride - s.pool_pad)
                     if self.q[j + 1] > self.q[j] else 0 for j in range(self.pes))

    @property
    def limit(self) -> tuple[int, ...]:
        return tuple(size + need for size, need in
                     zip(self.size, self.span.overlap(self.q), strict=True))


def tiled(span: Span, pes: int, x: Sequence[int] | None = None) -> Axis:
    """Outputs dealt evenly; inputs near them, or cut at the given boundaries x."""
    q = span.pooled_bounds(pes)
    o = span.output_bounds(q)
    cells = span.input_bounds(o) if x is None else x
    return Axis(span=span, q=q, o=o, x=tuple(pairwise(cells)))


def whole(span: Span, pes: int) -> Axis:
    """Every PE holds all inputs (of its channels); the first owns all outputs."""
    q = (0,) + (span.pooled,) * pes
    return Axis(span=span, q=q, o=(0,) + (span.outputs,) * pes, x=((0, span.inputs),) * pes)
