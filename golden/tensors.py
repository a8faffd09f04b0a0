"""Tensors for a layer: synthetic ones with a density and a seed, or the user's own ``.npy`` files.

Every problem is a ValueError of one line that names the file or tensor and the rule.
"""

from __future__ import annotations

import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.layers import Layer


@dataclass(frozen=True)
class Tensors:
    """One layer's integers (int64): weights ``[K, C/groups, R, S]``, activations ``[C, H, W]``
    (``[N, C, H, W]`` with a batch), bias ``[K]`` or None. `source` says where they come from."""

    weights: np.ndarray
    activations: np.ndarray
    bias: np.ndarray | None = None
    source: str = "given"

    @property
    def weight_density(self) -> float:
        """Fraction of the weights that is not zero."""
        return np.count_nonzero(self.weights) / self.weights.size

    @property
    def activation_density(self) -> float:
        """Fraction of the activations that is not zero; padding is no part of them."""
        return np.count_nonzero(self.activations) / self.activations.size


def synthetic(layer: Layer, *, weight_density: float = 1.0, activation_density: float = 1.0,
              seed: int = 0, data_bits: int = 16, acc_bits: int = 24,
              signed_activations: bool = False,
              block: tuple[int, int, int, int] = (1, 1, 1, 1)) -> Tensors:
    """Random tensors of exactly ``round(density · size)`` non-zeros at uniform places.

    Non-zero weights are uniform over ±1..±m, activations over 1..m (over ±1..±m if
    `signed_activations`), the bias over ±m, m as large as `data_bits` holds and small enough that
    no sum of the layer can leave `acc_bits`, whatever is drawn. `block` = (fin, fout, kx, ky): the
    weights are zero or not in blocks of fin inputs × fout outputs × kx columns × ky rows, and the
    density counts blocks. The same arguments give the same tensors on every machine: the
    generator (PCG64) is seeded with `seed` and the layer's name.
    """
    for name, value in (("weight density", weight_density),
                        ("activation density", activation_density)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be 0 to 1, not {value}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    if min(block) < 1:
        raise ValueError(f"weight block must be four numbers of at least 1, not {list(block)}")
    rng = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    most = _magnitude(layer, data_bits, acc_bits)
    kept = _block_mask(rng, layer.weights_shape, weight_density, block)
    weights = _signed(rng, layer.weights_shape, most)
    weights *= kept
    shape = layer.activations_shape
    activations = (_signed(rng, shape, most) if signed_activations
                   else rng.integers(1, most + 1, shape))
    activations *= _mask(rng, shape, activation_density)
    bias = rng.integers(-most, most + 1, layer.k) if layer.bias else None
    return Tensors(weights, activations, bias,
                   f"synthetic, densities {weight_density:g} and {activation_density:g}, "
                   f"seed {seed}")


def _magnitude(layer: Layer, data_bits: int, acc_bits: int) -> int:
    """The largest m that `data_bits` holds with taps · (m²/2^p + 1) + m < 2^(acc_bits-1), or 1.

    p is the product shift; flooring a shifted product costs less than one.
    """
    taps = layer.weight_count // layer.k
    room = ((1 << (acc_bits - 1)) - 1) << layer.product_shift
    most = min((1 << (data_bits - 1)) - 1, int((room / taps) ** 0.5) + 1)
    while most > 1 and taps * (most * most + (1 << layer.product_shift)) + (
            most << layer.product_shift) > room:
        most -= 1
    return most


def _signed(rng: np.random.Generator, shape: tuple[int, ...], most: int) -> np.ndarray:
    values = rng.integers(1, most + 1, shape)
    np.negative(values, out=values, where=rng.integers(0, 2, shape, dtype=bool))
    return values


def _mask(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    flat = np.zeros(math.prod(shape), dtype=bool)
    flat[:round(density * flat.size)] = 1
    return rng.permutation(flat).reshape(shape)


def _block_mask(rng: np.random.Generator, shape: tuple[int, int, int, int], density: float,
                block: tuple[int, int, int, int]) -> np.ndarray:
    """A mask of `shape` ``[K, C, R, S]``, constant over blocks; the last block may be cut short."""
    fin, fout, kx, ky = block
    sides = (fout, fin, ky, kx)
    grid = tuple(-(-n // side) for n, side in zip(shape, sides, strict=True))
    mask = _mask(rng, grid, density)
    for axis, side in enumerate(sides):
        mask = np.repeat(mask, side, axis)
    return mask[tuple(slice(n) for n in shape)]


def load(path: str | os.PathLike[str], thing: str, rank: int) -> np.ndarray:
    """The integers in a ``.npy`` file as int64; `thing` names them in errors.

    Floats that are whole numbers are taken; NaN, infinities and fractions are refused.
    """
    where = f"{thing} {os.fspath(path)}"
    try:
        values = np.load(Path(path), allow_pickle=False)
    except OSError as error:
        raise ValueError(f"{where}: must be a readable file: "
                         f"{error.strerror or 'not in NumPy format'}") from None
    except (ValueError, EOFError):
        raise ValueError(f"{where}: must be a .npy file of numbers") from None
    if not isinstance(values, np.ndarray):
        values.close()
        raise ValueError(f"{where}: must be one array (.npy), not an archive (.npz)")
    if values.dtype.kind not in "iuf":
        raise ValueError(f"{where}: must hold integers, not {values.dtype}")
    if values.ndim != rank:
        raise ValueError(f"{where}: must have {rank} dimensions, not {values.ndim}")
    if values.size == 0:
        raise ValueError(f"{where}: must not be empty, but its shape is {list(values.shape)}")
    return _whole_numbers(where, values)


def _whole_numbers(where: str, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        for bad, name in ((np.isnan(values), "NaN"), (np.isinf(values), "infinity"),
                          (values != np.floor(values), "a fraction")):
            if bad.any():
                index = [int(i) for i in np.argwhere(bad)[0]]
                raise ValueError(f"{where}: must hold integers, but {name} is at {index}")
    if values.max() >= 2.0**62 or values.min() < -(2.0**62):
        raise ValueError(f"{where}: must hold integers below 2^62, but reaches "
                         f"{values.max() if values.max() >= 2.0**62 else values.min()}")
    return values.astype(np.int64)


def check_range(thing: str, values: np.ndarray, bits: int) -> None:
    """Refuses `values` that signed `bits` do not hold, naming the worst and its place."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    least, most = int(values.min()), int(values.max())
    if low <= least and most <= high:
        return
    worst = most if most - high >= low - least else least
    index = [int(i) for i in np.argwhere(values == worst)[0]]
    raise ValueError(f"{thing}: must be {low} to {high} ({bits} bits), not {worst} at {index}")


def check(layer: Layer, tensors: Tensors, data_bits: int, acc_bits: int = 64) -> None:
    """Refuses tensors whose shape or range does not fit the layer and these widths."""
    wanted = [("weights", tensors.weights, layer.weights_shape, data_bits),
              ("activations", tensors.activations, layer.activations_shape, data_bits)]
    if tensors.bias is not None:
        wanted.append(("bias", tensors.bias, (layer.k,), acc_bits))
    for thing, values, shape, bits in wanted:
        if values.shape != shape:
            raise ValueError(f"{layer.name} {thing}: must be of shape {list(shape)}, "
                             f"not {list(values.shape)}")
        check_range(f"{layer.name} {thing}", values, bits)
    if layer.bias != (tensors.bias is not None):
        raise ValueError(f"{layer.name} bias: must be given exactly if the layer has one")
