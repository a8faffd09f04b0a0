"""A stage by its tiling: loads, computes and stores in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.cambricon_s.books import PLAIN, Book, Books
from golden.cambricon_s.segments import Segment, bias_bytes, book_bytes, index_bytes, segment
from golden.cambricon_s.stage import OutputGroup, Stage
from golden.cambricon_s.stream import TO, Instance, Stream
from golden.cambricon_s.tiling import Tiling, axes, bundles, spans
from golden.program import Image
from hw.cambricon_s.instruction import CHOICES

POOLS = {None: "none", "max": "max", "avg": "average"}
Rect = tuple[int, int, int, int]


@dataclass(frozen=True)
class Switches:
    """Which sparsity is used: `static`, that of synapses; `dynamic`, that of neurons. `function`
    follows the sums instead of the layer's ReLU: sigmoid or tanh."""

    static: bool = True
    dynamic: bool = True
    function: str = ""


@dataclass(frozen=True, eq=False)
class Set:
    """Segments of a group that lie in SIB and SB, one after the other.

    `first`: of each segment, the SIB word and the SB word that it begins with. `loads`: what fills
    SIB and SB with them; the sets of a bundle have the same.
    """

    group: OutputGroup
    book: Book
    chunk: tuple[int, int]          # granules of the part
    rows: tuple[int, int]           # of the kernel
    columns: tuple[int, int]
    segments: tuple[Segment, ...]
    first: tuple[tuple[int, int], ...]
    loads: dict[str, dict[str, int]]


class Emitter:
    """Writes one stage's program and puts its segments into the image."""

    def __init__(self, stage: Stage, books: Books, t: Tiling, switches: Switches, image: Image,
                 source: int, target: int, fixed: bool) -> None:
        self.stage, self.cfg, self.books, self.t = stage, stage.cfg, books, t
        self.switches, self.image = switches, image
        self.source, self.target, self.fixed = source, target, fixed
        self.y, self.x = axes(stage)
        self.stream = Stream(stage.cfg)
        self.sets: dict[tuple[Any, ...], list[Set]] = {}
        self.biases: dict[int, int] = {}
        self.written: dict[Book, int] = {}
        self.held: dict[int, Book] = {}         # codebook in each side of the book

    # What lies in memory.

    def _append(self, data: bytes) -> tuple[int, int]:
        """(address, beats)."""
        return self.image.append(data), -(-len(data) // self.cfg.beat_bytes)

    def _bundle(self, groups: Sequence[OutputGroup], chunk: tuple[int, int], rows: tuple[int, int],
                columns: tuple[int, int]) -> list[Set]:
        """Sets that lie in SIB and SB together."""
        key = groups[0].number, chunk, rows, columns
        if key not in self.sets:
            loads: dict[str, dict[str, int]] = {}
            made, windows, words = [], 0, 0
            for group in groups:
                one = self._make(group, chunk, rows, columns, (windows, words), loads)
                windows += sum(part.windows for part in one.segments)
                words += sum(len(part.rows) for part in one.segments)
                made.append(one)
            loads |= self._loads([part for one in made for part in one.segments])
            self.sets[key] = made
        return self.sets[key]

    def _make(self, group: OutputGroup, chunk: tuple[int, int], rows: tuple[int, int],
              columns: tuple[int, int], at: tuple[int, int], loads: dict[str, dict[str, int]]
              ) -> Set:
        tn, (windows, words) = self.cfg.tn, at
        low, high = chunk[0] * tn, chunk[1] * tn
        book = self.books.book(group, low, high)
        weights = self.stage.of(group)[:, low:high, rows[0]:rows[1], columns[0]:columns[1]]
        runs = weights.transpose(0, 2, 3, 1).reshape(len(weights), rows[1] - rows[0], -1)
        parts = [runs] if self.t.block else [runs[:, n:n + 1] for n in range(runs.shape[1])]
        made = tuple(segment(part, book, self.cfg, not self.switches.static) for part in parts)
        first = []
        for one in made:
            first.append((windows, words if len(one.rows) else 0))
            windows, words = windows + one.windows, words + len(one.rows)
        return Set(group, book, chunk, rows, columns, made, tuple(first), loads)

    def _loads(self, parts: Sequence[Segment]) -> dict[str, dict[str, int]]:
        """What fills SIB and SB with these segments."""
        sib = {"to": TO["sib"], "granules": 1, "beats": 1}      # dense: zeros, not from the bus
        if self.switches.static:
            at, beats = self._append(index_bytes(np.concatenate(
                [one.index for one in parts if one.index is not None])))
            sib |= {"address": at, "beats": beats, "rows": 1,
                    "granules": sum(one.windows for one in parts)}
        every = np.concatenate([one.rows for one in parts])
        if not len(every):
            every = np.zeros((1, every.shape[1]), np.uint8)
        at, beats = self._append(every.tobytes())
        return {"sib": sib, "sb": {"to": TO["sb"], "address": at, "beats": beats, "rows": 1,
                                   "granules": len(every)}}

    # What lies in the buffers.

    def _hold_set(self, one: Set) -> dict[str, Instance]:
        out = {}
        for name, load in one.loads.items():
            buffer = self.stream.buffers[name]
            if buffer.current is None or buffer.current.key is not one.loads:
                self.stream.fill(name, buffer.new(one.loads), [load])
            assert buffer.current is not None
            out[name] = buffer.current
        return out

    def _hold_book(self, one: Set, begin: bool) -> Instance:
        """The codebook of a set, and with `begin` its group's bias, in a side of the book."""
        buffer, number = self.stream.buffers["book"], one.group.number
        current, book = buffer.current, one.book
        if (current is not None and (current.key[0] == number or not begin)
                and (book.width == PLAIN or current.key[1] == book)):
            return current
        instance = buffer.new((number, book))
        if number not in self.biases:
            bias = self.stage.bias[one.group.first:one.group.last]
            self.biases[number] = self._append(bias_bytes(bias, self.cfg))[0]
        loads = [{"to": TO["bias"], "address": self.biases[number], "rows": 1,
                  "beats": self.cfg.bias_beats, "granules": 1}]
        if book.width != PLAIN and self.held.get(instance.side) != book:
            self.held[instance.side] = book
            if book not in self.written:
                self.written[book] = self._append(book_bytes(book, self.cfg.data_bits))[0]
            size = len(book.values) * self.cfg.data_bits // 8
            loads.append({"to": TO["codebook"], "address": self.written[book], "rows": 1,
                          "beats": -(-size // self.cfg.beat_bytes), "granules": len(book.values)})
        self.stream.fill("book", instance, loads)
        return instance

    def _hold_neurons(self, image: int, part: int, chunk: tuple[int, int], rect: Rect) -> Instance:
        """Rows [y0, y1) × columns [x0, x1) of a chunk, zeros beyond the plane."""
        buffer, low = self.stream.buffers["nbin"], self.stage.lows[part]
        key = image, low + chunk[0], low + chunk[1], rect
        if buffer.current is None or buffer.current.key != key:
            self.stream.fill("nbin", buffer.new(key), self._neurons(*key))
        assert buffer.current is not None
        return buffer.current

    def _neurons(self, image: int, low: int, high: int, rect: Rect) -> list[dict[str, int]]:
        plane, size = self.stage.plane, high - low
        y0, y1, x0, x1 = rect
        top, bottom = max(y0, 0), min(y1, plane.h)
        left, right = max(x0, 0), min(x1, plane.w)
        width = x1 - x0
        if top >= bottom or left >= right:
            return [self._zeros(0, (y1 - y0) * width * size)]
        out = []
        if y1 - y0 == 1:
            out += [self._zeros(at * size, count * size)
                    for at, count in ((0, left - x0), (right - x0, x1 - right)) if count]
        elif (top, bottom, left, right) != rect:
            out.append(self._zeros(0, (y1 - y0) * width * size))
        at = self.source + image * plane.image_bytes + low * plane.granule_bytes
        first = ((top - y0) * width + left - x0) * size
        if size == plane.granules:
            start = at + top * plane.row_bytes + left * plane.pixel_bytes
            return [*out, self._rows(start, bottom - top, (right - left) * size, plane.row_bytes,
                                     first, width * size)]
        for y in range(top, bottom):
            start = at + y * plane.row_bytes + left * plane.pixel_bytes
            begin = first + (y - top) * width * size
            if plane.pixel_bytes % self.cfg.beat_bytes == 0:
                out.append(self._rows(start, right - left, size, plane.pixel_bytes, begin, size))
            else:
                out += [self._rows(start + n * plane.pixel_bytes, 1, size, 0, begin + n * size, 0)
                        for n in range(right - left)]
        return out

    def _zeros(self, first: int, granules: int) -> dict[str, int]:
        beats = -(-granules * self.cfg.granule_bits // self.cfg.memory_bits)
        return {"to": TO["nbin"], "first": first, "granules": granules, "beats": beats}

    def _rows(self, start: int, rows: int, granules: int, pitch: int, first: int,
              granule_pitch: int) -> dict[str, int]:
        beat, unit = self.cfg.beat_bytes, self.stage.plane.granule_bytes
        skipped = start % beat
        return {"to": TO["nbin"], "address": start - skipped, "rows": rows,
                "beats": -(-(skipped + granules * unit) // beat), "pitch": pitch // beat,
                "first": first, "granules": granules, "granule_pitch": granule_pitch,
                "skip": skipped // unit, "checked": int(self.fixed)}

    # The program.

    def emit(self) -> Stream:
        t = self.t
        for number in range(0, len(self.stage.groups), t.groups):
            groups = self.stage.groups[number:number + t.groups]
            for image in range(self.stage.plane.images):
                for rows in spans(self.y.outputs, t.rows):
                    for columns in spans(self.x.outputs, t.columns):
                        self._tile(groups, image, rows, columns)
        return self.stream

    def _tile(self, groups: tuple[OutputGroup, ...], image: int, rows: tuple[int, int],
              columns: tuple[int, int]) -> None:
        ys, xs = self.y.sums_of(*rows), self.x.sums_of(*columns)
        sums = self.stream.nbout.new((groups[0].number, image, rows, columns))
        work = list(self._by_blocks(groups, ys) if self.t.block else self._by_rows(groups, ys))
        needed = {(one.group.number, y) for one, y, row, _ in work if _matters(one, row)}
        begun: set[tuple[int, int]] = set()
        for one, y, row, rect_rows in work:
            key = one.group.number, y
            begin = key not in begun
            # Without a synapse anywhere, one COMPUTE gives the bias.
            if not _matters(one, row) and (not begin or key in needed):
                continue
            begun.add(key)
            self._compute(one, y, row, (*rect_rows, *self.x.inputs_of(*xs)), image, begin,
                          (ys[0], xs[1] - xs[0], ys[1] - ys[0], groups[0].number), sums)
        self.stream.store(self._stores(groups, image, rows, columns), sums)

    def _sets(self, groups: Sequence[OutputGroup], chunk: tuple[int, int]) -> Iterator[Set]:
        layer = self.stage.layer
        for rows in spans(layer.r, self.t.kernel_rows):
            for columns in spans(layer.s, self.t.kernel_columns):
                yield from self._bundle(groups, chunk, rows, columns)

    def _by_rows(self, groups: tuple[OutputGroup, ...], ys: tuple[int, int]
                 ) -> Iterator[tuple[Set, int, int, tuple[int, int]]]:
        """(set, row of sums, segment, rows of inputs): all that an input row is needed for."""
        (group,), height = groups, self.stage.plane.h
        taps, stride = self.stage.layer.r, self.stage.stride
        top, bottom = self.y.inputs_of(*ys)
        # A row of sums whose inputs are all padding still needs its bias.
        lone = [y for y in range(*ys) if not any(
            0 <= y * stride - self.y.pad + r < height for r in range(taps))]
        for chunk in spans(self.stage.granules(group)[1], self.t.chunk):
            for one in self._sets(groups, chunk):
                for at in range(top, bottom):
                    for y in range(*ys):
                        r = at - (y * stride - self.y.pad)
                        inside = 0 <= at < height or (y in lone and r == one.rows[0])
                        if one.rows[0] <= r < one.rows[1] and inside:
                            yield one, y, r - one.rows[0], (at, at + 1)

    def _by_blocks(self, groups: tuple[OutputGroup, ...], ys: tuple[int, int]
                   ) -> Iterator[tuple[Set, int, int, tuple[int, int]]]:
        """The same, with all rows of inputs at once and one segment for a set."""
        for number in range(-(-self._most() // self.t.chunk)):
            for bundle in bundles(groups, self.t.bundle):
                every = spans(self.stage.granules(bundle[0])[1], self.t.chunk)
                for one in self._sets(bundle, every[number]) if number < len(every) else ():
                    for y in range(*ys):
                        yield one, y, 0, self.y.inputs_of(*ys)

    def _most(self) -> int:
        return max(w.shape[1] for w in self.stage.weights) // self.cfg.tn

    def _compute(self, one: Set, y: int, row: int, rect: Rect, image: int, begin: bool,
                 tile: tuple[int, int, int, int], sums: Instance) -> None:
        y0, width, height, first_group = tile
        cells = one.chunk[1] - one.chunk[0]
        used = {"nbin": self._hold_neurons(image, one.group.part, one.chunk, rect),
                **self._hold_set(one), "book": self._hold_book(one, begin)}
        part, (sib, sb) = one.segments[row], one.first[row]
        line = (rect[3] - rect[2]) * cells
        down = (y - y0) * self.stage.stride + one.rows[0] if self.t.block else 0
        self.stream.compute({
            "nbin_first": down * line + one.columns[0] * cells, "positions": width,
            "position_step": self.stage.stride * cells,
            "outer": one.rows[1] - one.rows[0] if self.t.block else 1, "outer_step": line,
            "inner": 1, "run": (one.columns[1] - one.columns[0]) * cells * self.cfg.tn,
            "sib_word": sib, "sb_word": sb, "width": part.width, "synapses": part.synapses,
            "nbout_first": ((one.group.number - first_group) * height + y - y0) * width,
            "nbout_step": 1, "dense": int(not self.switches.static),
            "dynamic": int(self.switches.dynamic), "begin": int(begin)}, used, sums)

    def _stores(self, groups: tuple[OutputGroup, ...], image: int, rows: tuple[int, int],
                columns: tuple[int, int]) -> Iterator[dict[str, int]]:
        layer, out, cfg = self.stage.layer, self.stage.output, self.cfg
        (y0, y1), (x0, x1) = self.y.sums_of(*rows), self.x.sums_of(*columns)
        pool = layer.pool
        function = self.switches.function or ("relu" if layer.relu else "none")
        assert layer.shift is not None
        common = {"row_step": x1 - x0, "multiplier": layer.multiplier, "shift": layer.shift,
                  "out_bits": layer.out_bits - 1,
                  "function": CHOICES["function"].index(function),
                  "pool": CHOICES["pool"].index(POOLS[pool.kind if pool else None]),
                  "pool_s": pool.s if pool else 1, "area": pool.k**2 if pool else 1,
                  "pixel_pitch": out.pixel_bytes, "row_pitch": out.row_bytes}
        for n, group in enumerate(groups):
            at = (self.target + image * out.image_bytes + group.first * cfg.data_bits // 8)
            for top, down, tall in _alike(self.y, *rows):
                for left, across, wide in _alike(self.x, *columns):
                    first = (n * (y1 - y0) + self.y.window(top)[0] - y0) * (x1 - x0)
                    yield common | {
                        "nbout_first": first + self.x.window(left)[0] - x0, "rows": down,
                        "columns": across, "pool_rows": tall, "pool_columns": wide,
                        "address": at + top * out.row_bytes + left * out.pixel_bytes,
                        "lanes": group.last - group.first}


def _matters(one: Set, row: int) -> bool:
    """The segment has synapses."""
    return one.segments[row].synapses > 0




def _alike(axis: Any, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """(first output, outputs, sums of a window): windows that an edge cuts stand alone."""
    start = first
    for n in range(first, last):
        low, high = axis.window(n)
        following = axis.window(n + 1) if n + 1 < last else None
        if following != (low + axis.pool_s, high + axis.pool_s):
            yield start, n + 1 - start, high - low
            start = n + 1
