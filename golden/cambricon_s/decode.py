"""A program's image back to instructions, and what it says back to tensors.

`Machine` runs the words as the units would, one whole instruction at a time as sides become full
and empty; everything that it knows is in the memory. `tensors` follows where its neurons come from
instead of what they are, and so finds the weights that `compile` was given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from golden.cambricon_s import functions
from golden.cambricon_s.program import Program
from golden.cambricon_s.segments import unpack
from golden.formats.bits import get, record_bytes, unpack_record
from golden.formats.lines import check_lines
from golden.layers import _divide_half_even, round_shift_half_even, saturate, wrap
from hw.cambricon_s.config import WIDTHS, CambriconSConfig
from hw.cambricon_s.instruction import (
    CHOICES,
    DESCRIPTOR_FIELDS,
    INSTRUCTION,
    field_bits,
    line_beats,
    word_bits,
)

PLAIN = len(WIDTHS) - 1
Fields = dict[str, int]


class Deadlock(RuntimeError):
    """Nothing can go on, and instructions are left."""


def read_words(data: bytes, cfg: CambriconSConfig) -> list[dict[str, Fields]]:
    """Lines of VLIW words: the slots that are there. ValueError on a wrong CRC."""
    lines = np.frombuffer(data, np.uint8).reshape(-1, line_beats(cfg) * cfg.beat_bytes)
    if not check_lines(lines).all():
        raise ValueError("program: every word's CRC must be that of the word")
    columns: dict[str, dict[str, np.ndarray]] = {}
    at = 0
    size = -(-word_bits(cfg) // 8)
    for unit, fields in INSTRUCTION.items():
        columns[unit] = {}
        for name, width in [*fields, ("there", 1)]:
            bits = field_bits(cfg, width)
            columns[unit][name] = get(lines[:, :size], np.array([at]), bits)[:, 0]
            at += bits
    return [{unit: {name: int(column[n]) for name, column in columns[unit].items()}
             for unit in INSTRUCTION if columns[unit]["there"][n]} for n in range(len(lines))]


class Machine:
    """Sides, units and the memory (uint8 from `base` on)."""

    def __init__(self, cfg: CambriconSConfig, memory: np.ndarray, base: int) -> None:
        self.cfg, self.memory, self.base = cfg, memory, base
        self.neuron = np.dtype(f"<i{cfg.data_bits // 8}")

    def run(self, desc_addr: int, count: int) -> None:
        """A list of descriptors. Raises Deadlock; ValueError names what an instruction breaks."""
        widths = [bits for _, bits in DESCRIPTOR_FIELDS]
        size = record_bytes(widths, self.cfg.memory_bits)
        for n in range(count):
            at = desc_addr - self.base + n * size
            program, words = unpack_record(widths, self.memory[at:at + size].tobytes())
            self.program(program, words)

    def program(self, at: int, words: int) -> None:
        cfg = self.cfg
        size = line_beats(cfg) * cfg.beat_bytes
        data = self.memory[at - self.base:at - self.base + words * size]
        self._clear()
        self._check_refills(at, words, size, read_words(data.tobytes(), cfg))
        queues: dict[str, deque[Fields]] = {unit: deque() for unit in INSTRUCTION}
        for word in read_words(data.tobytes(), cfg):
            for unit, fields in word.items():
                if unit != "load" or CHOICES["buffer"][fields["to"]] != "ib":
                    queues[unit].append(fields)
        while any(queues.values()):
            moved = False
            for unit, queue in queues.items():
                while queue and getattr(self, f"_may_{unit}")(queue[0]):
                    getattr(self, f"_{unit}")(queue.popleft())
                    moved = True
            if not moved:
                raise Deadlock(f"{ {u: len(q) for u, q in queues.items()} } instructions are left")

    def _check_refills(self, at: int, words: int, size: int, program: list[dict[str, Fields]]
                       ) -> None:
        """The first word of each half loads the next one."""
        half = self.cfg.ib_words // 2
        for n, word in enumerate(program):
            load = word.get("load")
            fetch = load is not None and CHOICES["buffer"][load["to"]] == "ib"
            if fetch != (n % half == 0 and n + half < words):
                raise ValueError(f"word {n}: each half's first word must load the next half")
            if fetch and load:
                granules = min(half, words - n - half)
                wanted = (at + (n + half) * size, granules, (n // half + 1) % 2)
                if (load["address"], load["granules"], load["side"]) != wanted:
                    raise ValueError(f"word {n}: must load the words behind its half")

    def _clear(self) -> None:
        cfg = self.cfg
        self.state = {(name, side): "EMPTY" for name in ("nbin", "sib", "sb", "book", "nbout")
                      for side in (0, 1)}
        self.nbin = np.zeros((2, cfg.nbin_granules * cfg.tn), np.int64)
        self.sib = np.zeros((2, cfg.sib_words, cfg.index_bits), bool)
        self.sb = np.zeros((2, cfg.sb_words, cfg.tm, cfg.sb_word_bits // 8), np.uint8)
        self.book = np.zeros((2, 256), np.int64)
        self.used = [0, 0]
        self.bias = np.zeros((2, cfg.tm), np.int64)
        self.nbout = np.zeros((2, cfg.nbout_vectors, cfg.tm), np.int64)

    # LOAD.

    def _of(self, f: Fields) -> tuple[str, int]:
        name = CHOICES["buffer"][f["to"]]
        return {"codebook": "book", "bias": "book", "every": "sb"}.get(name, name), f["side"]

    def _may_load(self, f: Fields) -> bool:
        state = self.state[self._of(f)]
        if not f["acquire"] and state != "FILLING":
            raise ValueError(f"SIDE: LOAD into a side that is {state}")
        return state == ("EMPTY" if f["acquire"] else "FILLING")

    def _load(self, f: Fields) -> None:
        name, beat = CHOICES["buffer"][f["to"]], self.cfg.beat_bytes
        for row in range(f["rows"] or 1):
            at = f["address"] - self.base + row * f["pitch"] * beat
            data = (self.memory[at:at + f["beats"] * beat] if f["rows"]
                    else np.zeros(f["beats"] * beat, np.uint8))
            first = f["first"] + row * f["granule_pitch"]
            getattr(self, f"_fill_{name}")(f, data, first, f["address"] + row * f["pitch"] * beat)
        self.state[self._of(f)] = "FULL" if f["publish"] else "FILLING"

    def _place(self, what: str, first: int, count: int, size: int) -> slice:
        if first + count > size:
            raise ValueError(f"RANGE: {what} {first} to {first + count} of {size}")
        return slice(first, first + count)

    def _fill_nbin(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        tn, size = self.cfg.tn, f["granules"]
        values = data.view(self.neuron)[f["skip"] * tn:(f["skip"] + size) * tn]
        self._place("NBin", first, size, self.cfg.nbin_granules)
        self.nbin[f["side"], first * tn:(first + size) * tn] = values

    def _fill_sib(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        bits = np.unpackbits(data, bitorder="little")[:f["granules"] * self.cfg.index_bits]
        where = self._place("SIB", first, f["granules"], self.cfg.sib_words)
        self.sib[f["side"], where] = bits.reshape(-1, self.cfg.index_bits)

    def _fill_sb(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        rows = data.reshape(f["granules"], -1)[:, :self.cfg.tm * self.cfg.sb_word_bits // 8]
        where = self._place("SB", first, f["granules"], self.cfg.sb_words)
        self.sb[f["side"], where] = rows.reshape(f["granules"], self.cfg.tm, -1)

    def _fill_every(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        words = data.reshape(f["granules"], -1)[:, :self.cfg.sb_word_bits // 8]
        where = self._place("SB", first, f["granules"], self.cfg.sb_words)
        self.sb[f["side"], where] = words[:, None]

    def _fill_codebook(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        where = self._place("codebook", first, f["granules"], 256)
        self.book[f["side"], where] = data.view(self.neuron)[:f["granules"]]
        self.used[f["side"]] = f["granules"]

    def _fill_bias(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        self.bias[f["side"]] = data.view("<i8")[:self.cfg.tm]

    # COMPUTE.

    def _may_compute(self, f: Fields) -> bool:
        state = self.state["nbout", f["nbout_side"]]
        if not f["acquire"] and state != "FILLING":
            raise ValueError(f"SIDE: COMPUTE into a side that is {state}")
        return (state == ("EMPTY" if f["acquire"] else "FILLING")
                and all(self.state[name, f[f"{name}_side"]] == "FULL"
                        for name in ("nbin", "sib", "sb", "book")))

    def _segment(self, f: Fields) -> tuple[np.ndarray, np.ndarray]:
        """Which neurons of the runs are connected to any PE, and the synapses [Tm, connected]."""
        cfg, run = self.cfg, f["run"]
        runs, per_run = f["outer"] * f["inner"], -(-run // cfg.window)
        if f["dense"]:
            mine = np.ones((cfg.selectors, runs, run), bool)
        else:
            where = self._place("SIB", f["sib_word"], runs * per_run, cfg.sib_words)
            whole = self.sib[f["sib_side"], where].reshape(-1, cfg.selectors, cfg.window)
            whole = whole.transpose(1, 0, 2).reshape(cfg.selectors, runs, -1)
            mine = whole[..., :run]
            if whole[..., run:].any():
                raise ValueError("INDEX: beyond a run no neuron may be connected")
        count = int(mine.sum((1, 2)).max())
        if count != f["synapses"]:
            raise ValueError(f"INDEX: {count} synapses, not {f['synapses']}")
        words = -(-count * WIDTHS[f["width"]] // cfg.sb_word_bits)
        at = self._place("SB", f["sb_word"], words, cfg.sb_words)
        raw = self.sb[f["sb_side"], at].transpose(1, 0, 2).reshape(cfg.tm, -1)
        stored = unpack(np.ascontiguousarray(raw), f["width"])[:, :count]
        there = np.asarray(mine.any(0))
        out = np.zeros((cfg.tm, int(there.sum())), np.int64)
        for pe in range(cfg.tm):
            its = mine[pe % cfg.selectors][there]
            out[pe, its] = self._values(f, stored[pe, :int(its.sum())])
        return there, out

    def _values(self, f: Fields, stored: np.ndarray) -> np.ndarray:
        if f["width"] == PLAIN:
            return wrap(stored.astype(np.int64), self.cfg.data_bits)
        if len(stored) and stored.max() >= self.used[f["book_side"]]:
            raise ValueError(f"CODEBOOK: index {stored.max()}")
        return self.book[f["book_side"]][stored]

    def _places(self, f: Fields) -> np.ndarray:
        """Where in NBin the neurons of each position's runs lie: [positions, runs, run]."""
        tn = self.cfg.tn
        p, o, i = np.ogrid[:f["positions"], :f["outer"], :f["inner"]]
        begin = (f["nbin_first"] + p * f["position_step"] + o * f["outer_step"]
                 + i * f["inner_step"]) * tn
        places = begin.reshape(f["positions"], -1, 1) + np.arange(f["run"])
        self._place("NBin neurons", int(places.max()), 1, self.nbin.shape[1])
        return places

    def _compute(self, f: Fields) -> None:
        there, synapses = self._segment(f)
        if f["own"]:
            synapses = synapses * np.eye(*synapses.shape, dtype=synapses.dtype)
        places = self._places(f)[:, there]
        first = np.arange(f["positions"]) * f["nbout_step"] + f["nbout_first"]
        self._place("NBout", int(first.max()), 1, self.cfg.nbout_vectors)
        self._add(f, first, places, synapses)
        for name in ("nbin", "sib", "sb", "book"):
            if f[f"release_{name}"]:
                self.state[name, f[f"{name}_side"]] = "EMPTY"
        self.state["nbout", f["nbout_side"]] = "FULL" if f["publish"] else "FILLING"

    def _add(self, f: Fields, first: np.ndarray, places: np.ndarray, synapses: np.ndarray) -> None:
        sums = self.nbin[f["nbin_side"]][places] @ synapses.T
        side = self.nbout[f["nbout_side"]]
        for vector, total in zip(first, sums, strict=True):     # one may come several times
            before = self.bias[f["book_side"]] if f["begin"] else side[vector]
            side[vector] = wrap(before + total, self.cfg.acc_bits)

    # STORE.

    def _may_store(self, f: Fields) -> bool:
        return self.state["nbout", f["nbout_side"]] == "FULL"

    def _store(self, f: Fields) -> None:
        size = f["lanes"] * self.neuron.itemsize
        for y in range(f["rows"]):
            for x in range(f["columns"]):
                at = f["address"] + y * f["row_pitch"] + x * f["pixel_pitch"] - self.base
                values = self._pixel(f, y, x)[:f["lanes"]]
                self.memory[at:at + size] = values.astype(self.neuron).view(np.uint8)
        if f["release"]:
            self.state["nbout", f["nbout_side"]] = "EMPTY"

    def _vectors(self, f: Fields, y: int, x: int) -> np.ndarray:
        """The vectors of NBout that an output is made of."""
        i, j = np.ogrid[:f["pool_rows"], :f["pool_columns"]]
        return (f["nbout_first"] + (y * f["pool_s"] + i) * f["row_step"] + x * f["pool_s"]
                + j).reshape(-1)

    def _pixel(self, f: Fields, y: int, x: int) -> np.ndarray:
        cfg = self.cfg
        sums = self.nbout[f["nbout_side"]][self._vectors(f, y, x)]
        scaled = np.array([[int(v) * f["multiplier"] for v in row] for row in sums], object)
        values = saturate(_round(scaled, f["shift"]), f["out_bits"] + 1)
        function = CHOICES["function"][f["function"]]
        if function == "relu":
            values = np.maximum(values, 0)
        pool = CHOICES["pool"][f["pool"]]
        if pool == "average":
            return _divide_half_even(values.sum(0), f["area"])
        values = values.max(0)
        if function in functions.EXACT:
            values = functions.apply(function, values, cfg.data_bits, cfg.table_bits)
        return values


def _round(values: np.ndarray, shift: int) -> np.ndarray:
    """Half to even, of integers of any size."""
    if max(abs(int(v)) for v in values.reshape(-1)) < 1 << 62:
        return round_shift_half_even(values.astype(np.int64), shift)
    out = [[_half_even(int(v), shift) for v in row] for row in values]
    return np.clip(np.array(out, object), -(1 << 62), 1 << 62).astype(np.int64)


def _half_even(value: int, shift: int) -> int:
    if not shift:
        return value
    floor, rest, half = value >> shift, value & (1 << shift) - 1, 1 << (shift - 1)
    return floor + int(rest > half or (rest == half and floor & 1))


def outputs(memories: Sequence[bytes], program: Program, index: int) -> list[np.ndarray]:
    """A layer's outputs per image, as they lie in the memory that the last segment left."""
    one = program.passes[index]
    begin = one.target - program.segments[0].base
    planes = one.output.read(memories[-1][begin:begin + one.output.size], program.config.data_bits)
    layer = one.layer
    if layer.is_fc:
        planes = planes.reshape(layer.k, layer.batch).T
    return list(planes.reshape(layer.batch, layer.k, layer.out_h, layer.out_w))
