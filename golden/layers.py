"""One layer's shape and meaning, and the reference arithmetic every design is held to.

All tensors are NumPy integers. With ``batch = 1`` activations are ``[C, H, W]`` and outputs
``[K, Ho, Wo]``; with ``batch = N > 1`` both have a leading ``N``. Weights are
``[K, C/groups, R, S]`` (R rows, S columns), bias ``[K]``. Convolution is cross-correlation. The
order of operations is

    product >> product_shift, sum, + bias, judge or wrap at acc_bits,
    x multiplier / 2^shift (round half to even), saturate to out_bits, ReLU, pooling.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from golden.exact import convolve

Pads = tuple[int, int, int, int]


def _whole(thing: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as an int of `low` to `high`, or a ValueError naming `thing`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{thing} must be a whole number, not {value!r}")
    if value < low or (high is not None and value > high):
        rule = f"at least {low}" if high is None else f"{low} to {high}"
        raise ValueError(f"{thing} must be {rule}, not {value}")
    return int(value)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Pooling after the activation: windows of k × k every s cells, p cells of padding all round.

    ``max`` leaves cells outside the plane out. ``avg`` divides by k·k always (padding counts as
    zeros) and refuses windows that hang over the padded plane. ``ceil_mode`` is Caffe's: a last,
    partial window counts if it starts inside the plane or its leading padding.
    """

    kind: Literal["max", "avg"]
    k: int
    s: int
    pad: int = 0
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("max", "avg"):
            raise ValueError(f"pool kind must be max or avg, not {self.kind!r}")
        _whole("pool k", self.k, 1)
        _whole("pool s", self.s, 1)
        _whole("pool pad", self.pad, 0)
        if self.pad >= self.k:
            raise ValueError(f"pool pad must be below pool k ({self.k}), not {self.pad}")

    def size(self, n: int) -> int:
        """Windows along a side of n cells."""
        span = n + 2 * self.pad - self.k
        if span < 0:
            raise ValueError(f"pool k ({self.k}) exceeds the padded side ({n} + 2·{self.pad})")
        if not self.ceil_mode:
            return span // self.s + 1
        count = -(-span // self.s) + 1
        return count - 1 if (count - 1) * self.s >= n + self.pad else count

    def overhang(self, n: int) -> int:
        """Cells by which the last window hangs over the padded side of n cells."""
        return max(0, (self.size(n) - 1) * self.s + self.k - (n + 2 * self.pad))


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A convolution (grouped or not) or FC layer and what follows it. Counts are elements.

    FC is a 1 × 1 convolution on a 1 × 1 plane (`Layer.fc`). ``pad`` may be given as one number or
    as (top, bottom, left, right); it is always held as the four. ``shift = None`` asks for the
    smallest shift at which no output saturates (`reference` finds it).
    """

    name: str = "layer"
    c: int                      # input channels, of all groups
    h: int                      # input rows
    w: int                      # input columns
    k: int                      # output channels, of all groups
    r: int                      # kernel rows
    s: int                      # kernel columns
    stride: int = 1
    pad: Any = 0
    groups: int = 1
    bias: bool = False
    relu: bool = False
    shift: int | None = None
    product_shift: int = 0
    multiplier: int = 1
    out_bits: int = 16
    pool: Pool | None = None
    batch: int = 1

    def __post_init__(self) -> None:
        for field in ("c", "h", "w", "k", "r", "s", "stride", "groups", "batch"):
            _whole(field, getattr(self, field), 1)
        object.__setattr__(self, "pad", _pads(self.pad))
        for field in ("c", "k"):
            if getattr(self, field) % self.groups:
                raise ValueError(f"{field} ({getattr(self, field)}) must be a multiple of groups "
                                 f"({self.groups})")
        top, bottom, left, right = self.pad
        for name, size, side, pads in (("r", self.r, self.h, top + bottom),
                                       ("s", self.s, self.w, left + right)):
            if size > side + pads:
                raise ValueError(f"{name} ({size}) must be at most the padded plane's side "
                                 f"({side} + {pads})")
        if self.shift is not None:
            _whole("shift", self.shift, 0, 62)
        _whole("product_shift", self.product_shift, 0, 62)
        _whole("multiplier", self.multiplier, 1, 2**31 - 1)
        _whole("out_bits", self.out_bits, 2, 32)
        if self.pool is not None:
            self._check_pool(self.pool)

    def _check_pool(self, pool: Pool) -> None:
        if not isinstance(pool, Pool):
            raise ValueError(f"pool must be a Pool or None, not {pool!r}")
        for n in (self.ho, self.wo):
            hang = pool.overhang(n)
            if pool.kind == "avg" and hang:
                raise ValueError(f"avg pool windows must stay inside the padded plane: the last "
                                 f"one hangs {hang} over a side of {n}")

    @classmethod
    def fc(cls, name: str, inputs: int, outputs: int, **rest: Any) -> Layer:
        """A fully connected layer: 1 × 1 on a 1 × 1 plane."""
        return cls(name=name, c=inputs, h=1, w=1, k=outputs, r=1, s=1, **rest)

    @property
    def pads(self) -> Pads:
        """Padding as (top, bottom, left, right)."""
        return self.pad

    @property
    def is_fc(self) -> bool:
        """True for a 1 × 1 kernel on a 1 × 1 plane without padding."""
        return (self.h, self.w, self.r, self.s) == (1, 1, 1, 1) and not any(self.pad)

    @property
    def ho(self) -> int:
        """Rows of the convolution's output, before pooling."""
        return (self.h + self.pad[0] + self.pad[1] - self.r) // self.stride + 1

    @property
    def wo(self) -> int:
        """Columns of the convolution's output, before pooling."""
        return (self.w + self.pad[2] + self.pad[3] - self.s) // self.stride + 1

    @property
    def out_h(self) -> int:
        """Rows of the layer's output, after pooling."""
        return self.pool.size(self.ho) if self.pool else self.ho

    @property
    def out_w(self) -> int:
        """Columns of the layer's output, after pooling."""
        return self.pool.size(self.wo) if self.pool else self.wo

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        return self.k, self.c // self.groups, self.r, self.s

    @property
    def activations_shape(self) -> tuple[int, ...]:
        return self._batched(self.c, self.h, self.w)

    @property
    def sums_shape(self) -> tuple[int, ...]:
        """Shape of the sums, before pooling."""
        return self._batched(self.k, self.ho, self.wo)

    @property
    def outputs_shape(self) -> tuple[int, ...]:
        """Shape of the outputs, after pooling."""
        return self._batched(self.k, self.out_h, self.out_w)

    def _batched(self, *shape: int) -> tuple[int, ...]:
        return shape if self.batch == 1 else (self.batch, *shape)

    @property
    def weight_count(self) -> int:
        return math.prod(self.weights_shape)

    @property
    def macs(self) -> int:
        """Dense multiplications, those with padding included."""
        return self.batch * self.ho * self.wo * self.weight_count

    def with_shift(self, shift: int) -> Layer:
        """The same layer with this shift."""
        return replace(self, shift=shift)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def require(self, good: bool, rule: str) -> None:
        """Raises ValueError of one line, the layer's name and `rule`, unless `good`."""
        if not good:
            raise ValueError(f"{self.name}: {rule}")


def _pads(pad: Any) -> Pads:
    """`pad` as (top, bottom, left, right)."""
    given = (pad,) * 4 if isinstance(pad, int | np.integer) else pad
    if not isinstance(given, tuple | list) or len(given) != 4:
        raise ValueError(f"pad must be one number or (top, bottom, left, right), not {pad!r}")
    top, bottom, left, right = (_whole("pad", p, 0) for p in given)
    return top, bottom, left, right


class AccumulatorOverflow(ValueError):
    """A final sum, bias included, does not fit in the accumulators.

    Members: ``worst`` (the sum farthest outside), ``index`` (its output element, before pooling),
    ``acc_bits`` (given), ``needed_bits``, ``needed_product_shift`` (None if no shift would do).
    """

    def __init__(self, layer: Layer, worst: int, index: tuple[int, ...], acc_bits: int,
                 needed_bits: int, needed_product_shift: int | None) -> None:
        self.worst, self.index, self.acc_bits = worst, index, acc_bits
        self.needed_bits, self.needed_product_shift = needed_bits, needed_product_shift
        shift = ("no product shift would do" if needed_product_shift is None
                 else f"product shift {needed_product_shift}")
        super().__init__(f"{layer.name}: sum {worst} at output {list(index)} must fit in acc_bits "
                         f"{acc_bits}; acc_bits {needed_bits} or {shift} would hold it")


@dataclass(frozen=True)
class Result:
    """What `reference` returns: outputs (int64), wrapped sums (int64), the layer with its shift."""

    outputs: np.ndarray
    sums: np.ndarray
    layer: Layer

    @property
    def shift(self) -> int:
        assert self.layer.shift is not None
        return self.layer.shift


def sums(layer: Layer, weights: np.ndarray, activations: np.ndarray,
         bias: np.ndarray | None = None) -> np.ndarray:
    """Exact sums of shifted products plus bias, int64 of `layer.sums_shape`, never wrapped.

    The bias is in units of the accumulator: it is added after the product shift, as it stands.
    """
    _check_shape(layer, "weights", weights, layer.weights_shape)
    _check_shape(layer, "activations", activations, layer.activations_shape)
    if bias is not None:
        _check_shape(layer, "bias", bias, (layer.k,))
        if not layer.bias:
            raise ValueError(f"{layer.name}: bias given to a layer that has none")
    elif layer.bias:
        raise ValueError(f"{layer.name}: bias must be given to a layer that has one")
    batched = activations.reshape(layer.batch, layer.c, layer.h, layer.w)
    total = convolve(weights, batched, layer.stride, layer.pads, layer.groups,
                     layer.product_shift)
    if bias is not None:
        total += bias.astype(np.int64)[None, :, None, None]
    return total.reshape(layer.sums_shape)


def _check_shape(layer: Layer, thing: str, value: np.ndarray, shape: tuple[int, ...]) -> None:
    if value.shape != shape:
        raise ValueError(f"{layer.name}: {thing} must be of shape {list(shape)}, "
                         f"not {list(value.shape)}")
    if value.dtype.kind not in "iu":
        raise ValueError(f"{layer.name}: {thing} must be integers, not {value.dtype}")


def wrap(value: np.ndarray, bits: int) -> np.ndarray:
    """`value` modulo 2^bits, as signed int64. `bits` from 1 to 64."""
    up = np.int64(64 - bits)
    return (value.astype(np.int64) << up) >> up


def bits_for(low: int, high: int) -> int:
    """Bits of the smallest two's complement word that holds `low` and `high`."""
    return max(v.bit_length() if v >= 0 else (v + 1).bit_length() for v in (low, high)) + 1


def accumulate(layer: Layer, weights: np.ndarray, activations: np.ndarray,
               bias: np.ndarray | None = None, acc_bits: int = 64, *,
               allow_overflow: bool = False) -> np.ndarray:
    """`sums` as accumulators of `acc_bits` hold them; the final sum alone is judged.

    Raises AccumulatorOverflow, unless `allow_overflow`: then sums wrap modulo 2^acc_bits.
    """
    total = sums(layer, weights, activations, bias)
    needed = bits_for(int(total.min()), int(total.max()))
    if needed <= acc_bits:
        return total
    if allow_overflow:
        return wrap(total, acc_bits)
    low, high = -(1 << (acc_bits - 1)), (1 << (acc_bits - 1)) - 1
    over = int(total.max()) - high
    at = total.argmax() if over >= low - int(total.min()) else total.argmin()
    index = tuple(int(i) for i in np.unravel_index(at, total.shape))
    raise AccumulatorOverflow(layer, int(total[index]), index, acc_bits, needed,
                              _needed_product_shift(layer, weights, activations, bias, acc_bits))


def _needed_product_shift(layer: Layer, weights: np.ndarray, activations: np.ndarray,
                          bias: np.ndarray | None, acc_bits: int) -> int | None:
    """The smallest larger product shift whose sums fit `acc_bits`; None if none does."""
    top = bits_for(int(weights.min()), int(weights.max()))
    top += bits_for(int(activations.min()), int(activations.max()))
    low, high = -(1 << (acc_bits - 1)), (1 << (acc_bits - 1)) - 1
    offset = (np.zeros(1, np.int64) if bias is None else bias.astype(np.int64))[:, None, None]
    products = sums(layer, weights, activations, bias) - offset
    taps = layer.weight_count // layer.k
    for shift in range(layer.product_shift + 1, top + 1):
        # Each floor loses less than one: the sums lie within `taps` below this.
        above = (products >> np.int64(shift - layer.product_shift)) + offset
        if int(above.max()) - taps > high or int(above.min()) < low:
            continue
        total = sums(replace(layer, product_shift=shift), weights, activations, bias)
        if int(total.min()) >= low and int(total.max()) <= high:
            return shift
    return None


def round_shift_half_even(value: np.ndarray, shift: int) -> np.ndarray:
    """`value` / 2^shift, rounded half to even. Exact for all of int64; shift 0 to 62."""
    value = value.astype(np.int64)
    if shift == 0:
        return value
    floor = value >> np.int64(shift)
    rest = value - (floor << np.int64(shift))
    half = np.int64(1) << np.int64(shift - 1)
    return floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))


def saturate(value: np.ndarray, bits: int) -> np.ndarray:
    """`value` clipped to signed `bits`."""
    return np.clip(value, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _scaled(total: np.ndarray, multiplier: int) -> np.ndarray:
    worst = max(abs(int(total.min())), abs(int(total.max()))) * multiplier
    if worst >= 1 << 63:
        raise ValueError(f"sum times multiplier must stay below 2^63, not {worst}")
    return total.astype(np.int64) * np.int64(multiplier)


def requantise(total: np.ndarray, shift: int, multiplier: int = 1,
               out_bits: int = 16) -> np.ndarray:
    """``saturate(round_half_even(total * multiplier / 2^shift))`` as int64."""
    return saturate(round_shift_half_even(_scaled(total, multiplier), shift), out_bits)


def smallest_shift(total: np.ndarray, multiplier: int = 1, out_bits: int = 16) -> int:
    """The smallest shift at which `requantise` saturates nothing (judged before ReLU)."""
    scaled = _scaled(total, multiplier)
    ends = np.array([scaled.min(), scaled.max()])       # rounding is monotone: the ends decide
    for shift in range(63):
        rounded = round_shift_half_even(ends, shift)
        if np.array_equal(rounded, saturate(rounded, out_bits)):
            return shift
    raise ValueError(f"a shift below 63 must bring {int(ends[0])}..{int(ends[1])} into "
                     f"{out_bits} bits: none does")


def pool_plane(values: np.ndarray, pool: Pool) -> np.ndarray:
    """Pooling of ``[..., H, W]``: max, or the average rounded half to even. int64."""
    h, w = values.shape[-2:]
    rows, cols = pool.size(h), pool.size(w)
    low = np.iinfo(np.int64).min if pool.kind == "max" else 0
    edge = [(0, 0)] * (values.ndim - 2) + [(pool.pad, pool.pad + pool.overhang(n)) for n in (h, w)]
    padded = np.pad(values.astype(np.int64), edge, constant_values=low)
    out = np.full((*values.shape[:-2], rows, cols), low, dtype=np.int64)
    for y in range(pool.k):
        for x in range(pool.k):
            part = padded[..., y:y + (rows - 1) * pool.s + 1:pool.s,
                          x:x + (cols - 1) * pool.s + 1:pool.s]
            out = np.maximum(out, part) if pool.kind == "max" else out + part
    return out if pool.kind == "max" else _divide_half_even(out, pool.k * pool.k)


def _divide_half_even(value: np.ndarray, by: int) -> np.ndarray:
    floor, rest = np.divmod(value, by)
    return floor + ((2 * rest > by) | ((2 * rest == by) & (floor & 1 == 1)))


def finish(layer: Layer, total: np.ndarray) -> np.ndarray:
    """Sums to outputs: requantise, ReLU, pooling. `layer.shift` must be set."""
    if layer.shift is None:
        raise ValueError(f"{layer.name}: shift must be set before outputs are computed")
    out = requantise(total, layer.shift, layer.multiplier, layer.out_bits)
    out = np.maximum(out, 0) if layer.relu else out
    return pool_plane(out, layer.pool) if layer.pool else out


def reference(layer: Layer, weights: np.ndarray, activations: np.ndarray,
              bias: np.ndarray | None = None, acc_bits: int = 64, *,
              allow_overflow: bool = False) -> Result:
    """The layer's outputs, bit for bit as every design must give them.

    Raises ValueError on tensors that do not match, AccumulatorOverflow as `accumulate`.
    """
    total = accumulate(layer, weights, activations, bias, acc_bits, allow_overflow=allow_overflow)
    if layer.shift is None:
        layer = layer.with_shift(smallest_shift(total, layer.multiplier, layer.out_bits))
    return Result(finish(layer, total), total, layer)


def effectual_macs(layer: Layer, weights: np.ndarray, activations: np.ndarray) -> int:
    """Multiplications of the layer whose two operands are non-zero (batch included)."""
    nonzero = (activations != 0).reshape(layer.batch, layer.c, layer.h, layer.w)
    top, bottom, left, right = layer.pads
    nonzero = np.pad(nonzero, ((0, 0), (0, 0), (top, bottom), (left, right)))
    step, groups = layer.stride, layer.groups
    per_tap = np.count_nonzero(
        weights.reshape(groups, layer.k // groups, -1, layer.r, layer.s), axis=1)
    per_tap = per_tap.reshape(layer.c, layer.r, layer.s).astype(np.int64)
    total = 0
    for y in range(layer.r):
        for x in range(layer.s):
            part = nonzero[:, :, y:y + (layer.ho - 1) * step + 1:step,
                           x:x + (layer.wo - 1) * step + 1:step]
            total += int(np.count_nonzero(part, axis=(0, 2, 3)) @ per_tap[:, y, x])
    return total
