"""How a layer is cut: outputs into tiles, neurons and synapses into what the sides hold.

A tile of sums fills a side of NBout. By *rows*: an input row's strip lies in NBin and serves all
kernel rows, each a segment. By *blocks*: all input rows of the tile lie in NBin, the kernel rows
are one segment, and several output groups may take their turn at the same neurons. A *set* is what
SIB and SB hold of a group at a time: some channels, some kernel rows, all columns if they fit. The
sets of two groups lie there together, if there is room: a *bundle*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby

import numpy as np

from golden.cambricon_s.books import Books
from golden.cambricon_s.stage import OutputGroup, Stage
from golden.program import Memory
from hw.cambricon_s.config import WIDTHS

BURST, IN_FLIGHT = 16, 8        # of the Reader and the Writer
TURN = 8                        # cycles of a burst beside the memory's latency
STORE = 6                       # cycles of a pixel beside the sums that it reads
BUNDLE = 2      # groups: more would wait for the bias of the last, whose side turns group by group
SEGMENT_LIMIT = (1 << 14) - 1   # synapses that COMPUTE can name
RUN_LIMIT = (1 << 16) - 1


@dataclass(frozen=True)
class Tiling:
    """`rows` × `columns`: outputs of a tile, after pooling; `groups`: output groups per pass, and
    of a `bundle`; `chunk`: granules of a pixel; `kernel_rows`, `kernel_columns`: of a set."""

    block: bool
    groups: int
    bundle: int
    rows: int
    columns: int
    chunk: int
    kernel_rows: int
    kernel_columns: int


def spans(n: int, step: int) -> list[tuple[int, int]]:
    """[0, n) in steps."""
    return [(at, min(at + step, n)) for at in range(0, n, step)]


def bundles(groups: Iterable[OutputGroup], size: int) -> Iterator[tuple[OutputGroup, ...]]:
    """Groups of one part, `size` at most."""
    for _, alike in groupby(groups, lambda group: group.part):
        of_part = tuple(alike)
        for low, high in spans(len(of_part), size):
            yield of_part[low:high]


@dataclass(frozen=True)
class Axis:
    """One side of the plane: which sums a tile of pooled outputs needs, which inputs these."""

    outputs: int        # after pooling
    sums: int
    inputs: int
    taps: int
    stride: int
    pad: int
    pool_k: int = 1
    pool_s: int = 1
    pool_pad: int = 0

    def sums_of(self, first: int, last: int) -> tuple[int, int]:
        low = first * self.pool_s - self.pool_pad
        high = (last - 1) * self.pool_s - self.pool_pad + self.pool_k
        return max(0, low), min(self.sums, high)

    def window(self, output: int) -> tuple[int, int]:
        """The sums that one output pools."""
        return self.sums_of(output, output + 1)

    def inputs_of(self, first: int, last: int) -> tuple[int, int]:
        """Inputs of the sums [first, last), beyond the plane where it is padded."""
        return first * self.stride - self.pad, (last - 1) * self.stride - self.pad + self.taps


def axes(stage: Stage) -> tuple[Axis, Axis]:
    """Rows and columns of a stage."""
    layer, (sums_h, sums_w), (top, left) = stage.layer, stage.outputs_shape, stage.pads
    plane, out = stage.plane, stage.output
    pool = {} if layer.pool is None else {"pool_k": layer.pool.k, "pool_s": layer.pool.s,
                                          "pool_pad": layer.pool.pad}
    return (Axis(out.h, sums_h, plane.h, layer.r, layer.stride, top, **pool),
            Axis(out.w, sums_w, plane.w, layer.s, layer.stride, left, **pool))


@dataclass(frozen=True, eq=False)
class Sets:
    """Of each segment, int [groups, chunks, row sets, rows of a set, column sets], its `synapses`
    and SB `words`; of each, its `windows`; of all, the width; sets of so many groups fit."""

    synapses: np.ndarray
    words: np.ndarray
    windows: int
    width: int
    bundle: int


class Search:
    """The tilings of a stage, and what each of them takes by estimate."""

    def __init__(self, stage: Stage, books: Books, static: bool, density: float,
                 memory: Memory) -> None:
        self.stage, self.cfg, self.memory = stage, stage.cfg, memory
        self.density = density              # of the neurons, 1 if zeros are not skipped
        self.y, self.x = axes(stage)
        self.parts = max(w.shape[1] for w in stage.weights) // self.cfg.tn
        self.counts = self._counts(static)
        self.books = books
        self._sets, self._bundles = cache(self._segments), cache(self._passes)

    def _counts(self, static: bool) -> np.ndarray:
        """Connected synapses: int64 [selectors, output groups, granules, R, S]."""
        stage, tn = self.stage, self.cfg.tn
        layer = stage.layer
        out = np.zeros((self.cfg.selectors, len(stage.groups), self.parts, layer.r, layer.s),
                       np.int64)
        for group in stage.groups:
            there = stage.connected[group.number]
            k, n = len(there), there.shape[1] // tn
            out[:k if static else None, group.number, :n] = (
                there.reshape(k, n, tn, layer.r, layer.s).sum(2) if static else tn)
        return out

    def _width(self, chunk: int) -> int:
        """Of the synapses, if a segment has so many granules: small ones lie in one sub-matrix."""
        stage, tn, widths = self.stage, self.cfg.tn, [0]
        alike = {(group.part, *np.unique(stage.rows[group.first:group.last])): group
                 for group in stage.groups}
        for group in alike.values():
            widths += [self.books.book(group, low * tn, high * tn).width
                       for low, high in spans(stage.granules(group)[1], chunk)]
        return max(widths)

    def _segments(self, chunk: int, kernel_rows: int, kernel_columns: int, block: bool
                  ) -> Sets | None:
        """None if a side does not hold a set."""
        cfg, layer = self.cfg, self.stage.layer
        sums = np.add.reduceat(self.counts, range(0, self.parts, chunk), axis=2)
        sums = np.add.reduceat(sums, range(0, layer.s, kernel_columns), axis=4)
        pad = -layer.r % kernel_rows
        sums = np.pad(sums, ((0, 0), (0, 0), (0, 0), (0, pad), (0, 0)))
        split = sums.reshape(*sums.shape[:3], -1, kernel_rows, sums.shape[4])
        run = kernel_columns * chunk * cfg.tn
        windows = -(-run // cfg.window)
        if run > RUN_LIMIT or windows * kernel_rows > min(cfg.sib_words, 255):
            return None
        if block:
            split = split.sum(4, keepdims=True)
            windows *= kernel_rows
        split = split.max(0)            # of the PE that has the most
        width = self._width(chunk)
        rows = -(-split * WIDTHS[width] // cfg.sb_word_bits)
        bundle = _adjacent(rows.sum(3), min(cfg.sb_words, 255))
        if not bundle or split.max() > SEGMENT_LIMIT:
            return None
        return Sets(split, rows, windows, width,
                    min(bundle, min(cfg.sib_words, 255) // (windows * split.shape[3])))

    def fits(self, t: Tiling) -> bool:
        cfg, (rows, columns) = self.cfg, self._largest(t)
        width = (columns - 1) * self.x.stride + self.x.taps
        height = (rows - 1) * self.y.stride + self.y.taps if t.block else 1
        return (t.groups * rows * columns <= min(cfg.nbout_vectors, 255)
                and width * height * t.chunk <= min(cfg.nbin_granules, 4095)
                and columns <= 255 and self.x.stride * t.chunk < 1 << 12
                and self._sets(t.chunk, t.kernel_rows, t.kernel_columns, t.block) is not None)

    def _largest(self, t: Tiling) -> tuple[int, int]:
        """Rows and columns of sums of a tile at most."""
        rows, columns = (min(axis.sums, (n - 1) * axis.pool_s + axis.pool_k)
                         for axis, n in ((self.y, t.rows), (self.x, t.columns)))
        return rows, columns

    def _passes(self, groups: int, bundle: int) -> tuple[int, int, int]:
        """Of all passes: bundles, and how often a part's neurons are walked through; bundles of a
        pass at most."""
        every = [list(bundles(self.stage.groups[low:high], bundle))
                 for low, high in spans(len(self.stage.groups), groups)]
        return (sum(map(len, every)), sum(len({one[0].part for one in made}) for made in every),
                max(map(len, every)))

    def estimate(self, t: Tiling) -> float:
        """Cycles: the busiest of bus, multipliers, sides and stores, and what none of them
        hides."""
        cfg, stage, latency = self.cfg, self.stage, self.memory.latency
        found = self._sets(t.chunk, t.kernel_rows, t.kernel_columns, t.block)
        assert found is not None
        groups, images = len(stage.groups), stage.plane.images
        of_all, walks, of_pass = self._bundles(t.groups, t.bundle)
        tiles = [(self.y.sums_of(a, b), self.x.sums_of(c, d))
                 for a, b in spans(self.y.outputs, t.rows)
                 for c, d in spans(self.x.outputs, t.columns)]
        turns = images * len(tiles)
        positions = images * sum((a[1] - a[0]) * (b[1] - b[0]) for a, b in tiles)
        compute = positions * self._vectors(found)

        _, chunks, row_sets, segments, column_sets = found.synapses.shape
        sets = chunks * row_sets * column_sets
        repeats = 1 if sets == 1 and of_pass == 1 else turns
        index = -(-found.windows * segments * cfg.index_bits // cfg.memory_bits)
        of_sets = float(found.words.sum()) * cfg.sb_beats + groups * (sets * (index + 1)
                                                                     + cfg.bias_beats)
        beats, bursts, fills = self._neurons(t, tiles)
        alone = t.block and len(tiles) == 1 and chunks == 1
        times = images * (len(stage.weights) if alone else walks)
        loads = of_sets * repeats + beats * times
        computes = positions / max(1, t.columns) * sets * groups * segments
        load, held = latency + TURN, of_all * sets * repeats
        # A side is filled again when its last user is done: the memory's latency is hidden by
        # the other side's use alone.
        books = groups * (1 if t.groups == 1 else turns) * (load + cfg.bias_beats)
        if t.block:
            sides, late = fills * times * load + held * load + loads, 0.0
        else:
            # Loads are in order: a set's is behind the last row's, two rows before it is needed.
            sides = fills * times * load + beats * times
            two_rows = sum(min(n, t.kernel_rows, t.rows) for n in (1, 2)) * compute / computes
            late = held * max(0.0, load + of_sets / (of_all * sets) + beats / fills - two_rows)
        sides = (max(sides, books) + compute) / 2

        # A word for nearly every COMPUTE and LOAD.
        words = loads + computes + bursts * times
        bursts = (of_sets / 12 + (2 * of_all + groups) * sets) * repeats + bursts * times
        bus = max(words, bursts * (latency + TURN) / min(IN_FLIGHT, self.memory.outstanding))
        bus *= self.memory.bandwidth[1] / self.memory.bandwidth[0]
        pixels = images * stage.output.h * stage.output.w * groups
        reads = self.y.pool_k * self.x.pool_k
        stores = pixels * max(reads + STORE, (latency + TURN) / IN_FLIGHT)
        first = latency + beats / max(1, len(tiles)) + of_sets / max(1, of_all * sets)
        last = latency + stores * t.groups / max(1, len(tiles) * groups)
        return max(compute, bus, stores, sides) + late + first + last

    def _vectors(self, found: Sets) -> float:
        """Cycles of all segments in NSM's last stage, at a position."""
        cfg = self.cfg
        chosen = found.synapses * self.density / cfg.tn
        vectors = np.maximum(found.windows, chosen + 0.45 * (chosen > 0) + (chosen == 0))
        seen = (cfg.sb_view - 0.5) * (cfg.sb_word_bits // WIDTHS[found.width])
        return float(vectors.sum()) * (
            max(1.0, cfg.tn / self.density / seen) if self.density else 1.0)

    def _neurons(self, t: Tiling, tiles: list) -> tuple[float, float, float]:
        """Of a pass over an image: beats and bursts that it loads into NBin, fills of a side."""
        cfg, plane, layer = self.cfg, self.stage.plane, self.stage.layer
        per_beat = cfg.memory_bits / cfg.granule_bits
        whole = t.chunk == plane.granules
        chunks = -(-self.parts // t.chunk)
        sets = 1 if t.block else -(-layer.r // t.kernel_rows) * -(-layer.s // t.kernel_columns)
        beats = bursts = fills = 0.0
        for (y0, y1), (x0, x1) in tiles:
            top, bottom = self.y.inputs_of(y0, y1)
            left, right = self.x.inputs_of(x0, x1)
            rows = max(1, min(bottom, plane.h) - max(top, 0)) * sets
            columns = max(1, min(right, plane.w) - max(left, 0))
            size = -(-(columns * t.chunk if whole else t.chunk) // per_beat)
            lines = rows * (1 if whole else columns) * chunks
            beats += lines * size
            bursts += lines * -(-size // BURST)
            fills += chunks * (1 if t.block else rows)
        return beats, bursts, fills

    def candidates(self) -> Iterator[Tiling]:
        layer, cfg = self.stage.layer, self.cfg
        groups = len(self.stage.groups)
        for chunk in _shares(self.parts):
            for kernel_rows in _shares(layer.r):
                for kernel_columns in _shares(layer.s) if kernel_rows == 1 else [layer.s]:
                    for block in (False, True):
                        sets = self._sets(chunk, kernel_rows, kernel_columns, block)
                        if sets is None:
                            continue
                        base = Tiling(block, 1, 1, 1, 1, chunk, kernel_rows, kernel_columns)
                        for count in _shares(min(groups, cfg.nbout_vectors)) if block else [1]:
                            for bundle in {1, min(BUNDLE, count, sets.bundle)}:
                                yield from self._tiles(replace(base, groups=count, bundle=bundle))

    def _tiles(self, base: Tiling) -> Iterator[Tiling]:
        for columns in _shares(self.x.outputs):
            rows = None
            for share in _shares(self.y.outputs):
                t = replace(base, columns=columns, rows=share)
                if self.fits(t):
                    rows = share
                    break
            if rows:
                yield replace(base, columns=columns, rows=rows)

    def best(self) -> Tiling:
        """The tiling of the fewest cycles; ValueError if none fits."""
        found = min(self.candidates(), key=self.estimate, default=None)
        if found is None:
            raise ValueError(f"{self.stage.layer.name}: buffers must hold one output's neurons and "
                             f"synapses of a granule and a kernel column; they are too small")
        return found


def _adjacent(words: np.ndarray, limit: int) -> int:
    """How many groups' words, [groups, …], are at most `limit` together, wherever they begin."""
    until = np.concatenate([np.zeros_like(words[:1]), words.cumsum(0)])
    return max((n for n in range(1, len(until)) if (until[n:] - until[:-n]).max() <= limit),
               default=0)


def _shares(n: int) -> list[int]:
    """What an even share of n can be, largest first."""
    return sorted({-(-n // parts) for parts in range(1, n + 1)}, reverse=True)


def tiling(stage: Stage, books: Books, static: bool, density: float, memory: Memory
           ) -> Tiling:
    return Search(stage, books, static, density, memory).best()
