"""The loader: the runs of a pass in their order, and its cycle-exact model for lockstep comparison
(see `golden.streams`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from hw.common.stationary.config import LINE_HEADER_BITS, StationaryConfig

BIAS, WEIGHT, FEATURE = range(3)
RUNS = 4        # that wait for their lines


class Run(NamedTuple):
    """A DMA command and where its lines go. Features: row `first` and the `rows` from it on take a
    group each, the last one all that is left; `final`: each of them ends its section."""

    address: int
    lines: int
    kind: int
    first: int = 0
    rows: int = 0
    final: bool = False


def chains(d: Mapping[str, int], tile: int) -> list[tuple[int, int, int, int]]:
    """(first row, rows, y, x) of a tile's chains: its pixels line by line, or one by one."""
    begin = tile * d["tile_pixels"] + min(tile, d["tile_more"])
    pixels = range(begin, begin + d["tile_pixels"] + (tile < d["tile_more"]))
    out: list[tuple[int, int, int, int]] = []
    for row, pixel in enumerate(pixels):
        y, x = divmod(pixel, d["line_pixels"])
        if d["ce"] and row and x:
            first, rows, *at = out[-1]
            out[-1] = first, rows + 1, at[0], at[1]
        else:
            out.append((row, 1, y, x))
    return out


def runs(d: Mapping[str, int], config: StationaryConfig) -> Iterator[Run]:
    """All runs of the pass that descriptor `d` describes."""
    size = config.line_bits // 8
    stride, columns = d["stride"], d["kernel_cols"]
    residues = range(min(stride, columns))
    weights = Run(d["weight_addr"], d["weight_lines"], WEIGHT)
    yield Run(d["bias_addr"], d["bias_lines"], BIAS)
    if not d["w_stream"]:
        yield weights
    for tile in range(d["tiles"]):
        parts = [(c, r, chain, rho) for c in range(d["channel_groups"])
                 for r in range(d["kernel_rows"]) for chain in chains(d, tile) for rho in residues]
        for _ in range(d["f_loads"]):
            for c, r, (first, rows, y, x), rho in parts:
                line = (c * d["group_lines"] + (y * stride + r) * d["row_lines"]
                        + rho * d["residue_lines"] + x * d["slots"])
                groups = rows + -(-(columns - rho) // stride) - 1
                ends = (c, r, rho) == (d["channel_groups"] - 1, d["kernel_rows"] - 1, residues[-1])
                yield Run(d["feature_addr"] + line * size, groups * d["slots"], FEATURE, first,
                          rows, ends)
        if d["w_stream"]:
            yield weights


class Loader:
    """Words: a command is (address, beats), a line its content, a bank's line its packed word."""

    inputs = ("line",)

    def __init__(self, d: Mapping[str, int], config: StationaryConfig):
        self.d, self.config = d, config
        self.outputs = ("command", *(f"w__{c}" for c in range(config.cols)),
                        *(f"f__{r}" for r in range(config.rows)))
        self.reset()

    def reset(self) -> None:
        self.runs: Iterator[Run] = iter(())
        self.offered: Run | None = None
        self.coming: Run | None = None
        self.cycle, self.next_at, self.counted_at = 0, 0, 0
        self.waiting: deque[Run] = deque()
        self.at = 0                             # line of the oldest run
        self.kernel = 0
        self.ended = False                      # the group ended in its first line

    # The line at the input

    def _there(self, offered):
        line = offered["line"]
        return (self.waiting[0], line) if self.waiting and line is not None else (None, 0)

    def _bank(self, run, line):
        """The output to which the line goes and its word there; None: nowhere."""
        config = self.config
        if run.kind == WEIGHT:
            column, last, end = line & 255, line >> 8 & 127, line >> 15 & 1
            if column >= config.cols or last >= config.weights_per_line:
                return None
            return f"w__{column}", self._packed(line >> LINE_HEADER_BITS, config.weights_per_line,
                                                config.weight_bits, last, 0, end)
        if self.ended:
            return None
        slots = self.d["slots"]
        group = self.at // slots
        behind = min(group, run.rows - 1)
        eog = [line >> n * config.feature_bits + 8 + config.offset_bits & 1
               for n in range(config.group)]
        last = eog.index(1) if any(eog) else config.group - 1
        close = self.at % slots == slots - 1 or any(eog)
        own_last = behind < run.rows - 1 or group == run.lines // slots - 1
        return f"f__{run.first + behind}", self._packed(
            line, config.group, config.feature_bits, last, close, close and own_last and run.final)

    @staticmethod
    def _packed(tokens, count, width, last, close, end):
        bits, at = max(count - 1, 0).bit_length(), count * width
        return (tokens & (1 << at) - 1 | last << at | int(close) << at + bits
                | int(end) << at + bits + 1)

    def _taken(self, run, line, ready):
        """The line is taken in this cycle."""
        if run is None:
            return False
        if run.kind == BIAS:
            each = self.config.biases_per_line
            return self.kernel % each == each - 1 or self.kernel == self.d["kernels"] - 1
        bank = self._bank(run, line)
        if bank is None:
            return run.kind == FEATURE          # behind a group's end: dropped; else an error
        return ready[bank[0]]

    def look(self, offered, ready):
        run, line = self._there(offered)
        words = dict.fromkeys(self.outputs)
        if self.offered is not None and len(self.waiting) < RUNS:
            words["command"] = self.offered.address | self.offered.lines * (
                self.config.line_beats) << self.config.addr_bits
        bias, error = (0, 1), False
        if run is not None and run.kind == BIAS:
            bits = self.config.acc_bits
            value = line >> self.kernel % self.config.biases_per_line * bits & (1 << bits) - 1
            bias = 1 | self.kernel << 1 | value << 1 + (self.config.max_kernels - 1).bit_length()
        elif run is not None:
            bank = self._bank(run, line)
            error = bank is None and run.kind == WEIGHT
            if bank is not None:
                words[bank[0]] = bank[1]
        return ({"line": self._taken(run, line, ready)}, words,
                {"bias": bias, "error": int(error)})

    def step(self, offered, ready):
        run, line = self._there(offered)
        taken = self._taken(run, line, ready)
        if run is not None and run.kind == BIAS:
            self.kernel += 1
        elif taken and run.kind == FEATURE:
            eog = any(line >> n * self.config.feature_bits + 8 + self.config.offset_bits & 1
                      for n in range(self.config.group))
            first = self.d["slots"] == 2 and self.at % 2 == 0
            self.ended = first and eog
        space = len(self.waiting) < RUNS
        if taken:
            self.at += 1
            if self.at == run.lines:
                self.at = 0
                self.waiting.popleft()
        self._walk(offered["start"], space and ready["command"])

    def _walk(self, start, taken):
        """The walker offers a run two cycles after the one before was taken; the first run of
        features waits until its kernel columns are counted, one of the first residue per cycle."""
        self.cycle += 1
        if self.offered is not None and taken:
            self.waiting.append(self.offered)
            self.offered, self.next_at = None, self.cycle + 1
        if start:
            self.runs = runs(self.d, self.config)
            self.next_at = self.cycle
            self.counted_at = self.cycle + -(-self.d["kernel_cols"] // self.d["stride"])
            self.kernel = 0
            self.coming = next(self.runs, None)
        coming = self.coming
        if self.offered is None and coming is not None and self.cycle >= self.next_at and (
                coming.kind != FEATURE or self.cycle >= self.counted_at):
            self.offered, self.coming = coming, next(self.runs, None)
