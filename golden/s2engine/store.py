"""Exact model of the store: when its words move (compiled, for the cycle model), and what they are.

Follows ``hw/common/stationary``: ``pool.py``, ``encoder.py``, ``store.py``. `decide` says what
moves in a cycle, `advance` is the edge that ends it; `Store` adds the values, for lockstep
comparison (see `golden.streams`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np

from golden.jit import njit
from golden.s2engine.tokens import Token, pack_token
from hw.common.stationary.config import StationaryConfig

# A store's registers
(STATE, LEFT, ROW, TILE, GROUP, X, Y, TILE_X, TILE_Y, WIN_X, WIN_Y, TILE_WIN_X, TILE_WIN_Y, EMITTED,
 HELD, COMMAND, LINES, REGIONS, STATES) = range(19)
IDLE, PIXEL, WALK, DIVIDE, EMIT, CHECK, MARK = range(7)
# Its pass
(TILES, TILE_PIXELS, TILE_MORE, LINE, OUT_ROWS, GROUPS, POOL, K, S, PAD, POOLED_ROWS, POOLED_COLS,
 SLOTS, DATA_BITS, SETTINGS) = range(15)
# What happens in a cycle: a group is taken; an item comes (fresh, or a mark) and goes on; a region
# begins; a group goes into the encoder
TAKE, COMES, FRESH, MARKS, GOES, OPENS, ENCODE, MOVES = range(8)


def settings(d: Mapping[str, int], config: StationaryConfig) -> np.ndarray:
    """What the store knows of the pass of descriptor `d`."""
    groups = -(-d["kernels"] // config.group)
    pool = (d.get(name, 0) for name in ("pool", "pool_k", "pool_stride", "pool_pad"))
    return np.array([
        d["tiles"], d["tile_pixels"], d["tile_more"], d["line_pixels"], d["out_rows"], groups,
        *pool, d["pooled_rows"], d["pooled_cols"], d["store_slots"], config.data_bits], np.int64)


@njit
def complete(s, c):
    """The window is complete with the pixel."""
    bottom = min(s[WIN_Y] * c[S] - c[PAD] + c[K], c[OUT_ROWS]) - 1
    right = min(s[WIN_X] * c[S] - c[PAD] + c[K], c[LINE]) - 1
    return s[WIN_Y] != c[POOLED_ROWS] and (
        s[Y] > bottom or (s[Y] == bottom and s[X] >= right))


@njit
def decide(s, c, there, line_ready, does):
    """What happens in this cycle. `there`: a group is offered by the row whose turn it is."""
    state = s[STATE]
    pooling = c[POOL] != 0
    does[MARKS] = state == MARK
    does[COMES] = state in (MARK, EMIT) or (state == PIXEL and not pooling and there)
    x = s[WIN_X] if pooling else s[X]
    does[FRESH] = not does[MARKS] and (not s[EMITTED] or x == 0)
    free = not s[HELD] or s[LINES] == 0 or (s[LINES] == 1 and line_ready)
    may = not does[FRESH] or not s[COMMAND]
    does[GOES] = does[COMES] and may and free
    does[OPENS] = does[GOES] and does[FRESH]
    does[ENCODE] = does[GOES] and s[HELD]
    does[TAKE] = state == PIXEL and there and (pooling or (may and free))


@njit
def _next_pixel(s, c):
    last = s[ROW] == c[TILE_PIXELS] + (s[TILE] < c[TILE_MORE]) - 1
    s[STATE] = MARK if last else PIXEL
    s[ROW] += 1
    s[X] += 1
    if s[X] == c[LINE]:
        s[X] = 0
        s[Y] += 1


@njit
def _window(s, c):
    s[STATE] = WALK
    s[LEFT] = c[K] * c[K] + 1


@njit
def advance(s, c, does, command_ready, line_ready, written, start):
    """The edge that ends the cycle for which `does` was decided."""
    if s[COMMAND] and command_ready:
        s[COMMAND] = 0
    if s[LINES] and line_ready:
        s[LINES] -= 1
    if does[ENCODE]:
        s[LINES] = c[SLOTS]
    if does[GOES]:
        s[HELD] = not does[MARKS]
        s[EMITTED] = not does[MARKS]
    if does[OPENS]:
        s[COMMAND] = 1
    s[REGIONS] += does[OPENS] - written
    state = s[STATE]
    if state == IDLE:
        if start:
            regions = s[REGIONS]
            s[:] = 0
            s[STATE], s[REGIONS] = PIXEL, regions
    elif state == PIXEL:
        if does[TAKE]:
            if c[POOL] and complete(s, c):
                _window(s, c)
            else:
                _next_pixel(s, c)
    elif state == WALK:
        s[LEFT] -= 1
        if s[LEFT] == 0:
            s[STATE] = DIVIDE if c[POOL] == 2 else EMIT
            s[LEFT] = c[DATA_BITS] + 2
    elif state == DIVIDE:
        s[LEFT] -= 1
        if s[LEFT] == 0:
            s[STATE] = EMIT
    elif state == EMIT:
        if does[GOES]:
            s[WIN_X] += 1
            if s[WIN_X] == c[POOLED_COLS]:
                s[WIN_X] = 0
                s[WIN_Y] += 1
            s[STATE] = CHECK
    elif state == CHECK:
        if complete(s, c):
            _window(s, c)
        else:
            _next_pixel(s, c)
    elif does[GOES]:
        _next_group(s, c)


@njit
def _next_group(s, c):
    """Behind the mark."""
    s[ROW] = 0
    s[STATE] = PIXEL
    s[GROUP] += 1
    if s[GROUP] < c[GROUPS]:
        s[X], s[Y] = s[TILE_X], s[TILE_Y]
        s[WIN_X], s[WIN_Y] = s[TILE_WIN_X], s[TILE_WIN_Y]
        return
    s[GROUP] = 0
    s[TILE] += 1
    s[TILE_X], s[TILE_Y] = s[X], s[Y]
    s[TILE_WIN_X], s[TILE_WIN_Y] = s[WIN_X], s[WIN_Y]
    if s[TILE] == c[TILES]:
        s[STATE] = IDLE


def encode(values: tuple[int, ...]) -> list[Token]:
    """A group's ECOO tokens."""
    tokens: list[Token] = []
    for offset, value in enumerate(values):
        if -128 <= value < 128:
            tokens += [Token(value & 255, offset)] if value else []
        else:
            tokens += [Token(value & 255, offset, 1), Token(value >> 8 & 255, offset, 1)]
    tokens = tokens or [Token(0, 0)]
    return [*tokens[:-1], tokens[-1]._replace(eog=1)]


class Store:
    """Words: groups are packed values, a command is address | beats << addr_bits, a line its tokens
    and, above them, `last`."""

    outputs = ("command", "line")

    def __init__(self, d: Mapping[str, int], config: StationaryConfig):
        self.d, self.config, self.c = d, config, settings(d, config)
        self.inputs = tuple(f"i__{r}" for r in range(config.rows))
        self.reset()

    def reset(self) -> None:
        self.s, self.does = np.zeros(STATES, np.int64), np.zeros(MOVES, np.int64)
        self.cells: dict[tuple[int, int, int], tuple[int, ...]] = {}
        self.held: tuple[int, ...] = ()
        self.command, self.lines = 0, deque[int]()
        self.regions = 0

    def _values(self, word):
        bits = self.config.data_bits
        half = 1 << bits - 1
        return tuple((word >> n * bits & (1 << bits) - 1 ^ half) - half
                     for n in range(self.config.group))

    def _decide(self, offered, ready):
        word = offered.get(f"i__{self.s[ROW]}")
        decide(self.s, self.c, word is not None, ready["line"], self.does)
        return word

    def _pooled(self):
        """The window's result."""
        d, s = self.d, self.s
        top, left = (int(s[at]) * d["pool_stride"] - d["pool_pad"] for at in (WIN_Y, WIN_X))
        cells = [self.cells[int(s[GROUP]), y, x]
                 for y in range(max(top, 0), min(top + d["pool_k"], d["out_rows"]))
                 for x in range(max(left, 0), min(left + d["pool_k"], d["line_pixels"]))]
        lanes = list(zip(*cells, strict=True))
        if d["pool"] == 1:
            return tuple(map(max, lanes))
        area = d["pool_area"]
        return tuple(_half_even(sum(lane), area) for lane in lanes)

    def _item(self, word):
        """The group that comes, and its place: (values, lines from store_addr, groups left)."""
        d, s = self.d, self.s
        pooling = d["pool"] != 0
        y, x = (int(s[at]) for at in ((WIN_Y, WIN_X) if pooling else (Y, X)))
        place = (int(s[GROUP]) * d["store_group_lines"] + y * d["store_row_lines"]
                 + x * d["store_slots"])
        left = (d["pooled_cols"] if pooling else d["line_pixels"]) - x
        return self._pooled() if pooling else self._values(word), place, left

    def look(self, offered, ready):
        self._decide(offered, ready)
        s = self.s
        taken = {name: bool(self.does[TAKE] and n == s[ROW]) for n, name in enumerate(self.inputs)}
        done = s[STATE] == IDLE and s[REGIONS] == 0
        return taken, {"command": self.command if s[COMMAND] else None,
                       "line": self.lines[0] if s[LINES] else None}, {"done": int(done)}

    def step(self, offered, ready):
        word, config, does = self._decide(offered, ready), self.config, self.does
        if self.s[LINES] and ready["line"]:
            self.lines.popleft()
        if does[TAKE] and self.d["pool"]:
            where = tuple(int(self.s[at]) for at in (GROUP, Y, X))
            self.cells[where] = self._values(word)
        if does[ENCODE]:
            self._lines(last=bool(does[MARKS] or does[FRESH]))
        if does[GOES] and not does[MARKS]:
            self.held, place, left = self._item(word)
            if does[OPENS]:
                address = self.d["store_addr"] + place * (config.line_bits // 8)
                beats = left * self.d["store_slots"] * config.line_beats
                self.command = address | beats << config.addr_bits
                self.regions += 1
        advance(self.s, self.c, does, ready["command"], ready["line"], offered["written"],
                offered["start"])

    def _lines(self, last):
        """The held group's lines."""
        config, slots = self.config, self.d["store_slots"]
        tokens = encode(self.held)
        for n in range(slots):
            part = tokens[n * config.group:(n + 1) * config.group]
            line = sum(pack_token(token, config, 0) << at * config.feature_bits
                       for at, token in enumerate(part))
            ends = int(last and n == slots - 1)
            self.lines.append(line | ends << config.group * config.feature_bits)


def _half_even(total: int, by: int) -> int:
    floor, rest = divmod(total, by)
    return floor + (2 * rest > by or (2 * rest == by and floor % 2 == 1))
