"""What `compile` gives, whatever the design: segments of an image and descriptors.

A design's pass (one descriptor) is a class of its own; of it only `layer` and `index` are known
here. The memory that programs run against is here too, for models, simulators and reports alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from golden.layers import Layer

PAGE = 4096

@dataclass(frozen=True)
class Memory:
    """The bench's memory: cycles of latency, bursts in flight, (beats, cycles) each way."""

    latency: int = 64
    outstanding: int = 8
    bandwidth: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        beats, cycles = self.bandwidth
        for name in ("latency", "outstanding"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 1 <= beats <= cycles:
            raise ValueError(f"bandwidth must be BEATS/CYCLES with 1 ≤ BEATS ≤ CYCLES, "
                             f"not {beats}/{cycles}")

    def as_dict(self) -> dict[str, Any]:
        return {"latency": self.latency, "outstanding": self.outstanding,
                "bandwidth": self.bandwidth}


class Pass(Protocol):
    """One descriptor of a program."""

    @property
    def layer(self) -> Layer: ...

    @property
    def index(self) -> int:
        """Of the layer in the caller's list."""

    @property
    def stored(self) -> tuple[int, int] | None:
        """The region that it writes, [first byte, end); None if its outputs stay on chip."""


class Image:
    """A memory image that grows piece by piece, each on a beat."""

    def __init__(self, base: int, data_bits: int, addr_bits: int) -> None:
        self.base, self.end, self.beat = base, base, data_bits // 8
        self.bits = min(32, addr_bits)      # of a byte address in descriptors
        self.parts: list[bytes] = []

    def append(self, data: bytes) -> int:
        """Address of `data`, now in the image. Raises ValueError where addresses end."""
        where = self.end
        data = data.ljust(-(-len(data) // self.beat) * self.beat, b"\0")
        self.parts.append(data)
        self.end += len(data)
        if self.end > 1 << self.bits:
            raise ValueError(f"the memory image must end below 2^{self.bits}")
        return where

    def whole(self) -> bytearray:
        """The image so far, padded to whole pages."""
        pages = -(-(self.end - self.base) // PAGE)
        return bytearray(b"".join(self.parts).ljust(pages * PAGE, b"\0"))


P = TypeVar("P", bound=Pass)
C = TypeVar("C")


@dataclass(frozen=True, kw_only=True)
class Segment(Generic[P]):
    """What runs from one start: an image and a list of descriptors."""

    image: bytes = field(repr=False)
    base: int                   # address of the image's first byte
    desc_addr: int
    passes: tuple[P, ...]

    @property
    def desc_count(self) -> int:
        return len(self.passes)

    @property
    def window(self) -> tuple[int, int]:
        """First address and bytes that the hardware may touch."""
        return self.base, len(self.image)

    @property
    def stored(self) -> Iterator[tuple[int, int]]:
        """The regions that the hardware may write, [first byte, end)."""
        return (one.stored for one in self.passes if one.stored)


@dataclass(frozen=True, kw_only=True)
class Program(Generic[C, P]):
    """A list of layers for a design. The driver runs the segments in order; what one stored, a
    later one may load. The loads of later segments hold the outputs that golden expects."""

    config: C
    segments: tuple[Segment[P], ...]
    layers: tuple[Layer, ...]
    images: int = 1

    @property
    def passes(self) -> tuple[P, ...]:
        return tuple(p for s in self.segments for p in s.passes)

    @property
    def shifts(self) -> tuple[int | None, ...]:
        return tuple(layer.shift for layer in self.layers)

    def _only(self) -> Segment[P]:
        if len(self.segments) != 1:
            raise ValueError(f"the program has {len(self.segments)} segments, each with an image")
        return self.segments[0]

    @property
    def image(self) -> bytes:
        return self._only().image

    @property
    def desc_addr(self) -> int:
        return self._only().desc_addr

    @property
    def desc_count(self) -> int:
        return self._only().desc_count

    @property
    def window(self) -> tuple[int, int]:
        return self._only().window
