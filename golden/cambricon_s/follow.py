"""The weights and biases that a program's image holds: `compile` undone.

The machine runs with addresses for neurons. What is summed for an output is then a list of
(neuron's address, synapse of each PE), and the planes' layout says which weight that is.
"""

from __future__ import annotations

import numpy as np

from golden.cambricon_s.decode import Fields, Machine
from golden.cambricon_s.program import CambriconPass, Program, Segment
from golden.cambricon_s.tiling import axes

NOWHERE = -1


class _Follower(Machine):
    """NBin holds addresses; `sums[side][vector]` what went into a vector; `outputs` the STOREs'."""

    def _clear(self) -> None:
        super()._clear()
        self.sums: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
        self.started: dict[tuple[int, int], np.ndarray] = {}
        self.outputs: list[tuple[int, list[tuple[int, int, list, np.ndarray]], int]] = []

    def _fill_nbin(self, f: Fields, data: np.ndarray, first: int, at: int) -> None:
        tn, size = self.cfg.tn, f["granules"]
        self._place("NBin", first, size, self.cfg.nbin_granules)
        unit = self.neuron.itemsize
        where = at + (f["skip"] * tn + np.arange(size * tn)) * unit
        self.nbin[f["side"], first * tn:(first + size) * tn] = where if f["rows"] else NOWHERE

    def _add(self, f: Fields, first: np.ndarray, places: np.ndarray, synapses: np.ndarray) -> None:
        for vector, where in zip(first, places, strict=True):
            key = f["nbout_side"], int(vector)
            if f["begin"]:
                self.sums[key] = []
                self.started[key] = self.bias[f["book_side"]].copy()
            self.sums[key].append((self.nbin[f["nbin_side"]][where], synapses))

    def _store(self, f: Fields) -> None:
        for y in range(f["rows"]):
            for x in range(f["columns"]):
                at = f["address"] + y * f["row_pitch"] + x * f["pixel_pitch"]
                vectors = self._vectors(f, y, x)
                keys = [(f["nbout_side"], int(v)) for v in vectors]
                parts = [(n // f["pool_columns"], n % f["pool_columns"], self.sums[key],
                          self.started[key]) for n, key in enumerate(keys)]
                self.outputs.append((at, parts, f["lanes"]))
        if f["release"]:
            self.state["nbout", f["nbout_side"]] = "EMPTY"


def tensors(program: Program, number: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights [K, C/groups, R, S], bias [K], seen: which weights meet a neuron at all).

    ValueError if the image contradicts itself, or a weight is where the layer has none.
    """
    segment = program.segments[0]
    assert isinstance(segment, Segment)
    one = segment.passes[number]
    machine = _Follower(program.config, np.frombuffer(bytearray(segment.expected), np.uint8),
                        segment.base)
    machine.program(one.program_at, one.words)
    layer = one.layer
    weights = np.zeros(layer.weights_shape, np.int64)
    seen = np.zeros(layer.weights_shape, bool)
    bias = np.zeros(layer.k, np.int64)
    reader = _Reader(one)
    outputs = np.zeros(layer.outputs_shape, bool).reshape(-1)
    for at, parts, lanes in machine.outputs:
        first, image, y, x = reader.output(at)
        k = np.arange(first, first + lanes)
        outputs[reader.number(image, k, y, x)] = True
        for i, j, contributions, started in parts:
            low_y, low_x = reader.y.window(y)[0] + i, reader.x.window(x)[0] + j
            bias[k] = started[:lanes]
            _collect(reader, contributions, k, (image, low_y, low_x), weights, seen)
    if not outputs.all():
        raise ValueError("every output must be stored")
    return weights, bias, seen


class _Reader:
    """Addresses to neurons, for one pass."""

    def __init__(self, one: CambriconPass) -> None:
        self.one, self.stage = one, one.stage
        self.y, self.x = axes(one.stage)
        self.unit = one.stage.cfg.data_bits // 8
        plane = one.stage.plane
        self.channel = np.full(plane.pixel_bytes // self.unit, NOWHERE)
        self.channel[one.stage.places] = np.arange(one.layer.c)

    def output(self, at: int) -> tuple[int, int, int, int]:
        """(first channel, image, row, column) of an address in the output."""
        out = self.stage.output
        image, rest = divmod(at - self.one.target, out.image_bytes)
        y, rest = divmod(rest, out.row_bytes)
        x, rest = divmod(rest, out.pixel_bytes)
        return rest // self.unit, image, y, x

    def number(self, image: int, k: np.ndarray, y: int, x: int) -> np.ndarray:
        """Of outputs, in the layer's own shape."""
        out, layer = self.stage.output, self.one.layer
        if layer.is_fc:
            return x * layer.k + k
        return ((image * layer.k + k) * out.h + y) * out.w + x

    def neuron(self, at: np.ndarray) -> tuple[np.ndarray, ...]:
        """(channel, image, row, column)."""
        plane = self.stage.plane
        image, rest = np.divmod(at - self.one.source, plane.image_bytes)
        y, rest = np.divmod(rest, plane.row_bytes)
        x, rest = np.divmod(rest, plane.pixel_bytes)
        return self.channel[rest // self.unit], image, y, x


def _collect(reader: _Reader, contributions: list, k: np.ndarray, sums: tuple[int, int, int],
             weights: np.ndarray, seen: np.ndarray) -> None:
    layer, (image, low_y, low_x) = reader.one.layer, sums
    depth = layer.c // layer.groups
    for where, synapses in contributions:
        real = where != NOWHERE
        channel, its, y, x = reader.neuron(where[real])
        values = synapses[:len(k)][:, real]
        values = values[:, channel != NOWHERE]
        if synapses[:len(k)][:, real][:, channel == NOWHERE].any():
            raise ValueError("places without a neuron must have no weight")
        if (its[channel != NOWHERE] != image).any():
            raise ValueError("an output must depend on its own image")
        y, x, channel = y[channel != NOWHERE], x[channel != NOWHERE], channel[channel != NOWHERE]
        r = y - (low_y * layer.stride - reader.y.pad)
        s = x - (low_x * layer.stride - reader.x.pad)
        part = k // (layer.k // layer.groups)
        local = channel[None] - (part * depth)[:, None]
        mine = (local >= 0) & (local < depth)
        if values[~mine].any():
            raise ValueError("an output must depend on its own group")
        kk, cc = np.broadcast_to(k[:, None], local.shape)[mine], local[mine]
        rr, ss = (np.broadcast_to(v, local.shape)[mine] for v in (r, s))
        at = kk, cc, rr, ss
        if (seen[at] & (weights[at] != values[mine])).any():
            raise ValueError("a weight must be the same at every position")
        weights[at], seen[at] = values[mine], True
