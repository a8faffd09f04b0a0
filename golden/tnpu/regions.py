"""What lies where in memory: regions by name, tensors to bytes and back.

Activations and errors are [block of 16 channels][row][column][16]; vectors are padded to 16.
Weights lie in tiles of lanes × lanes, [k][c]: conv [k tile][block][r][s][c tile of the block], FC
[k tile][j tile], j as `Network.vector_layout` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden.layers import Layer
from golden.tnpu.network import Network
from hw.tnpu.config import BLOCK, TNPUConfig

PAGE = 4096


def step_bytes(values: int) -> int:
    """From a tensor of so many values to the next instance's."""
    return -(-values * 4 // PAGE) * PAGE


def blocks(channels: int) -> int:
    """Blocks of 16."""
    return -(-channels // BLOCK)


@dataclass(frozen=True)
class Plane:
    """A tensor [C, H, W] in memory."""

    c: int
    h: int
    w: int

    @property
    def values(self) -> int:
        return blocks(self.c) * BLOCK * self.h * self.w

    def pack(self, tensor: np.ndarray) -> np.ndarray:
        """Values in memory's order, float32."""
        out = np.zeros((blocks(self.c), self.h, self.w, BLOCK), np.float32)
        padded = np.zeros((blocks(self.c) * BLOCK, self.h, self.w), np.float32)
        padded[:self.c] = np.asarray(tensor, np.float32).reshape(self.c, self.h, self.w)
        out[:] = padded.reshape(-1, BLOCK, self.h, self.w).transpose(0, 2, 3, 1)
        return out.reshape(-1)

    def unpack(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `pack`: [C, H, W]."""
        out = values.reshape(-1, self.h, self.w, BLOCK).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(out.reshape(-1, self.h, self.w)[:self.c])


@dataclass(frozen=True)
class Weights:
    """A layer's weights, or what has their shape, in memory."""

    layer: Layer
    lanes: int
    order: tuple[int, ...] | None = None        # an FC layer's inputs by place, -1: none

    @property
    def channels(self) -> int:
        """Places, inputs or not."""
        return self.layer.c // self.layer.groups if self.order is None else len(self.order)

    @property
    def k_tiles(self) -> int:
        return blocks(self.layer.k) * BLOCK // self.lanes

    @property
    def values(self) -> int:
        taps = self.layer.r * self.layer.s
        return self.k_tiles * self.lanes * blocks(self.channels) * BLOCK * taps

    def pack(self, tensor: np.ndarray) -> np.ndarray:
        layer, lanes = self.layer, self.lanes
        given = np.asarray(tensor, np.float32).reshape(layer.weights_shape)
        if self.order is not None:
            order = np.array(self.order)
            given = np.where((order >= 0)[:, None, None], given[:, order], np.float32(0))
        full = np.zeros((self.k_tiles * lanes, blocks(self.channels) * BLOCK, layer.r, layer.s),
                        np.float32)
        full[:layer.k, :self.channels] = given
        split = full.reshape(self.k_tiles, lanes, -1, BLOCK // lanes, lanes, layer.r, layer.s)
        return split.transpose(0, 2, 5, 6, 3, 1, 4).reshape(-1)

    def unpack(self, values: np.ndarray) -> np.ndarray:
        layer, lanes = self.layer, self.lanes
        split = values.reshape(self.k_tiles, -1, layer.r, layer.s, BLOCK // lanes, lanes, lanes)
        full = split.transpose(0, 5, 1, 4, 6, 2, 3).reshape(self.k_tiles * lanes, -1, layer.r,
                                                            layer.s)
        out = np.ascontiguousarray(full[:layer.k, :self.channels])
        if self.order is not None:
            order = np.array(self.order)
            straight = np.empty(layer.weights_shape, np.float32)
            straight[:, order[order >= 0]] = out[:, order >= 0]
            return straight
        return out


Shape = Plane | Weights


@dataclass(frozen=True)
class Region:
    """A part of memory: `copies` tensors of one shape, `step` bytes apart, from `base` on."""

    shape: Shape
    copies: int
    base: int
    step: int

    def address(self, instance: int) -> int:
        return self.base + instance % self.copies * self.step


def shapes(network: Network, cfg: TNPUConfig, batch: int, live: int, kept: bool = False
           ) -> dict[str, tuple[Shape, int]]:
    """Each region's shape and how many copies: one per instance, one per live instance, or one.
    `kept`: what goes into FC layers and their errors are every instance's.

    y, p: sums after ReLU and what is pooled of them; a: which was chosen; e: their error; q: the
    error of what was pooled.
    """
    first, last = network.layers[0], network.layers[-1]
    out: dict[str, tuple[Shape, int]] = {
        "input": (Plane(first.c, first.h, first.w), batch),
        "target": (Plane(last.k, last.out_h, last.out_w), batch)}
    for n, layer in enumerate(network.layers):
        order = tuple(network.vector_layout(n).tolist()) if layer.is_fc else None
        for prefix in ("w", "vw", "gw"):
            out[f"{prefix}{n}"] = Weights(layer, cfg.lanes, order), 1
        for prefix in ("b", "vb", "gb"):
            out[f"{prefix}{n}"] = Plane(layer.k, 1, 1), 1
        sums, pooled = Plane(layer.k, layer.ho, layer.wo), Plane(layer.k, layer.out_h, layer.out_w)
        out[f"y{n}"] = out[f"e{n}"] = sums, live
        if layer.pool:
            out[f"p{n}"] = out[f"q{n}"] = pooled, live
            if layer.pool.kind == "max":
                out[f"a{n}"] = pooled, live
    # Every instance's output is kept, for the host.
    names = [output_of(network)]
    if kept:
        fcs = range(network.convs, len(network.layers))
        names += [name for n in fcs for name in (f"e{n}", input_of(network, n))]
    return out | {name: (out[name][0], batch) for name in names}


def lay_out(network: Network, cfg: TNPUConfig, batch: int, live: int, base: int, *,
            input_error: bool = False, kept: bool = False) -> tuple[dict[str, Region], int]:
    """The regions from `base` on, each on a page of its own, and where they end."""
    out: dict[str, Region] = {}
    wanted = shapes(network, cfg, batch, live, kept)
    if input_error:
        wanted["input_error"] = wanted["input"]
    for name, (shape, copies) in wanted.items():
        step = step_bytes(shape.values)
        out[name] = Region(shape, copies, base, step)
        base += step * copies
    return out, base


def output_of(network: Network) -> str:
    """The region of the network's output."""
    n = len(network.layers) - 1
    return f"p{n}" if network.layers[n].pool else f"y{n}"


def input_of(network: Network, n: int) -> str:
    """The region that layer n reads."""
    if n == 0:
        return "input"
    return f"p{n - 1}" if network.layers[n - 1].pool else f"y{n - 1}"


def error_of(network: Network, n: int) -> str:
    """The region for the error of layer n's input."""
    return f"q{n - 1}" if network.layers[n - 1].pool else f"e{n - 1}"
