"""An LSTM layer as a program: gates as FC layers, f ∘ c + i ∘ g and o ∘ tanh(c) by element.

    i, f, o = sigmoid(W · [x, h] + b)    g = tanh(W · [x, h] + b)
    c = f ∘ c + i ∘ g                    h = o ∘ tanh(c)

Fraction bits, of d = `data_bits`: x, h and what tables give d - 1; weights and c d - 4. So i ∘ g
has 2 · d - 2 of them and f ∘ c three fewer: it is added eight times, as eight positions of one
vector. A step is four programs, since each reads what the one before stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from golden.cambricon_s.books import Books
from golden.cambricon_s.compile import descriptor_bytes, seal, written
from golden.cambricon_s.emit import Emitter, Switches
from golden.cambricon_s.functions import apply
from golden.cambricon_s.program import CambriconPass, Program
from golden.cambricon_s.stage import Stage, stage
from golden.cambricon_s.stream import TO, Stream
from golden.cambricon_s.tiling import Tiling, tiling
from golden.layers import Layer
from golden.numeric import requantise
from golden.program import Image, Memory
from golden.tensors import Tensors
from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import CHOICES

GATES = ("i", "f", "o", "g")
ONE_STORE = {"rows": 1, "columns": 1, "row_step": 1, "multiplier": 1, "pool_rows": 1,
             "pool_columns": 1, "pool_s": 1, "area": 1}


@dataclass(frozen=True, eq=False)
class LSTM:
    """`weights[gate]` int [cells, inputs + cells], `bias[gate]` int [cells], of 2 · d - 5 fraction
    bits."""

    weights: dict[str, np.ndarray]
    bias: dict[str, np.ndarray]

    @property
    def cells(self) -> int:
        return len(self.bias["i"])

    @property
    def inputs(self) -> int:
        return self.weights["i"].shape[1] - self.cells

    def reference(self, x: np.ndarray, cfg: CambriconSConfig) -> list[dict[str, np.ndarray]]:
        """Of each step i, f, o, g, c, t = tanh(c), h, from h = c = 0; `x`: [steps, inputs]."""
        bits, table = cfg.data_bits, cfg.table_bits
        h = c = np.zeros(self.cells, np.int64)
        out = []
        for one in x:
            both, values = np.concatenate([one, h]).astype(np.int64), {}
            for gate in GATES:
                total = self.weights[gate].astype(np.int64) @ both + self.bias[gate]
                values[gate] = apply("tanh" if gate == "g" else "sigmoid",
                                     requantise(total, 1, bits - 1, bits), bits, table)
            c = requantise(values["i"] * values["g"] + 8 * values["f"] * c, 1, bits + 2, bits)
            t = apply("tanh", c, bits, table)
            h = requantise(values["o"] * t, 1, bits - 1, bits)
            out.append({**values, "c": c, "t": t, "h": h})
        return out


class _Compiler:
    def __init__(self, lstm: LSTM, x: np.ndarray, cfg: CambriconSConfig) -> None:
        self.lstm, self.x, self.cfg = lstm, x, cfg
        self.image = Image(0, cfg.memory_bits, cfg.addr_bits)
        self.image.append(bytes(descriptor_bytes(cfg) * 4 * len(x)))
        # Vectors of Tm cells: those that are synapses begin on a beat.
        self.groups = -(-lstm.cells // cfg.tm)
        self.unit = cfg.data_bits // 8
        self.apart = max(cfg.tm, cfg.beat_bytes // self.unit)
        self.passes: list[CambriconPass] = []
        self.planes: list[tuple[int, bytes]] = []
        self.behind = -(-lstm.inputs // cfg.tn) * cfg.tn       # where h begins in a step's plane
        self.layers = {True: self._gates(("i", "f", "o"), self.apart),
                       False: self._gates(("g",), cfg.tm)}
        self.plain: dict[bool, Stage] = {}

    def _gates(self, gates: Sequence[str], apart: int) -> tuple[Layer, Tensors]:
        """An FC layer of some gates, each group of cells `apart` outputs from the last one."""
        lstm, cfg = self.lstm, self.cfg
        outputs = len(gates) * self.groups * apart
        layer = Layer.fc("".join(gates), self.behind + lstm.cells, outputs, bias=True,
                         shift=cfg.data_bits - 1, out_bits=cfg.data_bits)
        weights, bias = np.zeros((outputs, layer.c), np.int64), np.zeros(outputs, np.int64)
        for n, gate in enumerate(gates):
            at = self._places(n, apart)
            weights[at, :lstm.inputs] = lstm.weights[gate][:, :lstm.inputs]
            weights[at, self.behind:] = lstm.weights[gate][:, lstm.inputs:]
            bias[at] = lstm.bias[gate]
        return layer, Tensors(weights.reshape(layer.weights_shape),
                              np.zeros(layer.activations_shape, np.int64), bias)

    def _places(self, n: int, apart: int) -> np.ndarray:
        """Where the cells of the n-th gate lie."""
        group, lane = np.divmod(np.arange(self.lstm.cells), self.cfg.tm)
        return (n * self.groups + group) * apart + lane

    def _vector(self, values: np.ndarray, apart: int) -> bytes:
        whole = np.zeros(self.groups * apart, f"<i{self.unit}")
        whole[self._places(0, apart)] = values
        return whole.tobytes()

    def _room(self, size: int) -> int:
        return self.image.append(bytes(size))

    def run(self) -> Program:
        cfg, lstm = self.cfg, self.lstm
        found = lstm.reference(self.x, cfg)
        size = self.groups * cfg.tm * self.unit
        plane_bytes = self.behind * self.unit + size
        h, c = np.zeros(lstm.cells, np.int64), self._room(size)
        plane = self.image.append(self._plane(0, h).ljust(plane_bytes, b"\0"))
        for n, values in enumerate(found):
            sigmoids = self._fc(True, plane, {g: values[g] for g in "ifo"})
            g = self._fc(False, plane, {"g": values["g"]})
            step = self.groups * self.apart * self.unit
            after, tanh = self._room(size), self._room(size)
            following = self.image.append(self._plane(n + 1, h).ljust(plane_bytes, b"\0"))
            self._cells(g, c, sigmoids, sigmoids + step, after, tanh)
            self._products([(tanh, sigmoids + 2 * step, 1)],
                           [(following + self.behind * self.unit, cfg.data_bits - 1, "none")])
            for at, name in ((after, "c"), (tanh, "t"), (following + self.behind * self.unit, "h")):
                self.planes.append((at, self._vector(values[name], cfg.tm)))
            plane, c = following, after
        layers = [self.layers[True][0], self.layers[False][0]]
        return seal(self.passes, layers, self.image, self.planes, cfg)

    def _plane(self, n: int, h: np.ndarray) -> bytes:
        """x of step n (none after the last), room up to h."""
        out = np.zeros(self.behind, f"<i{self.unit}")
        if n < len(self.x):
            out[:self.lstm.inputs] = self.x[n]
        return out.tobytes()

    def _fc(self, sigmoid: bool, source: int, values: dict[str, np.ndarray]) -> int:
        """A program of gates; the address of their outputs."""
        layer, given = self.layers[sigmoid]
        if sigmoid not in self.plain:
            self.plain[sigmoid] = stage(int(not sigmoid), layer, given, self.cfg)
        one = self.plain[sigmoid]
        switches = Switches(function="sigmoid" if sigmoid else "tanh")
        books = Books(one, False)
        chosen = tiling(one, books, True, 1.0, Memory())
        target = self._room(one.output.size)
        words = Emitter(one, books, chosen, switches, self.image, source, target,
                        False).emit().words()
        self.passes.append(written(one, words, chosen, switches, self.image, source, target))
        whole = np.zeros(layer.k, np.int64)
        # Outputs without a cell: the function of no sum at all.
        whole[:] = apply(switches.function, whole, self.cfg.data_bits, self.cfg.table_bits)
        for n, one_gate in enumerate(values.values()):
            whole[self._places(n, self.apart if sigmoid else self.cfg.tm)] = one_gate
        self.planes.append((target, one.output.fill(whole.reshape(1, layer.k, 1, 1),
                                                    self.cfg.data_bits)))
        return target

    def _cells(self, g: int, c: int, i: int, f: int, after: int, tanh: int) -> None:
        down = self.cfg.data_bits + 2
        self._products([(g, i, 1), (c, f, 8)], [(after, down, "none"), (tanh, down, "tanh")])

    def _products(self, pairs: Sequence[tuple[int, int, int]],
                  stores: Sequence[tuple[int, int, str]]) -> None:
        """Σ of times · neurons ∘ synapses (addresses of vectors), to each (address, shift,
        function); group by group."""
        cfg, stream = self.cfg, Stream(self.cfg)
        zeros = {"rows": 0, "granules": 1, "beats": 1}
        size = cfg.tm * self.unit
        for group in range(self.groups):
            held = {name: stream.buffers[name].new(group) for name in stream.buffers}
            stream.fill("nbin", held["nbin"], [self._neurons(at + group * size, k)
                                               for k, (at, _, _) in enumerate(pairs)])
            stream.fill("sb", held["sb"], [
                {"to": TO["every"], "address": at + group * self.apart * self.unit, "rows": 1,
                 "beats": max(1, cfg.sb_word_bits // cfg.memory_bits), "first": k, "granules": 1}
                for k, (_, at, _) in enumerate(pairs)])
            stream.fill("sib", held["sib"], [{"to": TO["sib"], **zeros}])
            stream.fill("book", held["book"], [{"to": TO["bias"], **zeros,
                                                "beats": cfg.bias_beats}])
            sums = stream.nbout.new(group)
            for k, (_, _, times) in enumerate(pairs):
                stream.compute({"nbin_first": k, "positions": times, "outer": 1, "inner": 1,
                                "run": cfg.tm, "sb_word": k, "width": 4, "synapses": cfg.tm,
                                "own": 1, "dense": 1, "dynamic": 1, "begin": int(k == 0)},
                               held, sums)
            lanes = min(cfg.tm, self.lstm.cells - group * cfg.tm)
            stream.store(({**ONE_STORE, "shift": shift, "out_bits": cfg.data_bits - 1,
                           "function": CHOICES["function"].index(function),
                           "address": at + group * size, "lanes": lanes}
                          for at, shift, function in stores), sums)
        one = self.plain[False]
        none = Tiling(True, 1, 1, 1, 1, 1, 1, 1)
        self.passes.append(replace(
            written(one, stream.words(), none, Switches(), self.image, pairs[0][0], stores[0][0]),
            stored_bytes=stores[-1][0] + self.groups * size - stores[0][0]))

    def _neurons(self, at: int, first: int) -> dict[str, int]:
        beat = self.cfg.beat_bytes
        skipped, size = at % beat, self.cfg.granule_bits // 8
        return {"to": TO["nbin"], "address": at - skipped, "rows": 1,
                "beats": -(-(skipped + size) // beat), "first": first, "granules": 1,
                "skip": skipped // size}


def compile(lstm: LSTM, x: np.ndarray, config: CambriconSConfig) -> Program:
    """All steps of the sequence `x`, int [steps, inputs]; ValueError for what cannot be."""
    if config.tm != config.tn:
        raise ValueError(f"tm must be tn ({config.tn}) for an LSTM, not {config.tm}")
    if config.data_bits != 16:
        raise ValueError(f"data_bits must be 16 for an LSTM, not {config.data_bits}")
    return _Compiler(lstm, x, config).run()
