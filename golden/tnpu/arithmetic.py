"""fp32 in the order of additions of ``hw/tnpu/README.md``: explicit loops, vectorised over outputs.

Every sum starts at +0.0 and takes one term at a time, each product rounded before it is added;
no library sums (other orders), no fused multiply-add. Planes are float32 [C, H, W].
"""

from __future__ import annotations

import numpy as np

from golden.jit import njit

BLOCK = 16                                      # channels taken together
NAN = np.array(0x7FC00000, np.uint32).view(np.float32)[()]
TINY = np.array(1, np.uint32).view(np.float32)[()]

if not (TINY + np.float32(0)) > 0 or not np.float32(2.0**-126) * np.float32(0.5) > 0:
    raise RuntimeError("float32 subnormals are flushed to zero in this process: results would not "
                       "be IEEE-754's")


def canonical(values: np.ndarray) -> np.ndarray:
    """`values` with every NaN as the hardware writes it; in place."""
    values[np.isnan(values)] = NAN
    return values


def relu(values: np.ndarray) -> np.ndarray:
    """Negative numbers and −0.0 become +0.0; NaN stays."""
    return np.where((values > 0) | np.isnan(values), values, np.float32(0)).astype(np.float32)


def start(bias: np.ndarray) -> np.ndarray:
    """What FP's sums start from: the bias, −0.0 as +0.0."""
    return (np.asarray(bias, np.float32) + np.float32(0)).astype(np.float32)


@njit
def conv_fp(x, w, bias, stride):
    """Sums [K, Ho, Wo] of a padded plane x [C, H, W] and weights [K, C, R, S]."""
    outputs, channels, rows, cols = w.shape
    high, wide = (x.shape[1] - rows) // stride + 1, (x.shape[2] - cols) // stride + 1
    out = np.empty((outputs, high, wide), np.float32)
    for k in range(outputs):
        acc = out[k]
        acc[:] = bias[k]
        for block in range(0, channels, BLOCK):
            for r in range(rows):
                for s in range(cols):
                    for c in range(block, min(block + BLOCK, channels)):
                        value = w[k, c, r, s]
                        for y in range(high):
                            line = x[c, y * stride + r]
                            for p in range(wide):
                                acc[y, p] += value * line[p * stride + s]
    return out


@njit
def conv_bp(delta, w, stride, top, left, high, wide):
    """Gradient [C, high, wide] of the unpadded input: delta [K, Ho, Wo], weights [K, C, R, S]."""
    outputs, channels, rows, cols = w.shape
    out = np.zeros((channels, high, wide), np.float32)
    # Zeros around delta, as far as any tap reaches.
    before, after = rows + cols + top + left, rows + cols + high + wide + top + left
    far = np.zeros((outputs, delta.shape[1] + before + after, delta.shape[2] + before + after),
                   np.float32)
    far[:, before:before + delta.shape[1], before:before + delta.shape[2]] = delta
    for c in range(channels):
        for block in range(0, outputs, BLOCK):
            for r in range(rows):
                y0 = (r - top) % stride
                for s in range(cols):
                    p0 = (s - left) % stride
                    across = (p0 + left - s) // stride + before
                    count = (wide - p0 + stride - 1) // stride
                    for k in range(block, min(block + BLOCK, outputs)):
                        value = w[k, c, r, s]
                        for y in range(y0, high, stride):
                            line = far[k, (y + top - r) // stride + before]
                            acc = out[c, y]
                            for i in range(count):
                                acc[p0 + stride * i] += value * line[across + i]
    return out


@njit
def conv_gd(delta, x, rows, cols, stride):
    """Gradient [K, C, R, S] of the weights of one instance: delta [K, Ho, Wo], padded x."""
    outputs, high, wide = delta.shape
    channels = x.shape[0]
    inner = np.ascontiguousarray(x.transpose(1, 2, 0))
    out = np.zeros((outputs, channels, rows, cols), np.float32)
    acc = np.empty((rows, cols, channels), np.float32)
    for k in range(outputs):
        acc[:] = np.float32(0)
        for y in range(high):
            for p in range(wide):
                value = delta[k, y, p]
                for r in range(rows):
                    for s in range(cols):
                        line = inner[y * stride + r, p * stride + s]
                        for c in range(channels):
                            acc[r, s, c] += value * line[c]
        out[k] = acc.transpose(2, 0, 1)
    return out


@njit
def plane_sums(delta):
    """The sum of each plane [K, Ho, Wo], row by row: the gradient of the bias."""
    out = np.zeros(len(delta), np.float32)
    for k in range(len(delta)):
        for y in range(delta.shape[1]):
            for p in range(delta.shape[2]):
                out[k] += delta[k, y, p]
    return out


@njit
def fc_fp(x, w, bias, order):
    """y [K]: inputs x [J] and weights [K, J], in this order of the inputs, and then the bias."""
    out = np.zeros(len(w), np.float32)
    for at in range(len(order)):
        j = order[at]
        for k in range(len(w)):
            out[k] += x[j] * w[k, j]
    for k in range(len(w)):
        out[k] = bias[k] + out[k]
    return out


@njit
def fc_bp(delta, w):
    """Gradient of the inputs [J]: scaled rows of the weights, added up."""
    out = np.zeros(w.shape[1], np.float32)
    for k in range(len(w)):
        value = delta[k]
        for j in range(w.shape[1]):
            out[j] += value * w[k, j]
    return out


@njit
def fc_gd(g, delta, x):
    """Adds one instance to the gradient g [K, J], in place."""
    for k in range(len(g)):
        for j in range(g.shape[1]):
            g[k, j] += delta[k] * x[j]


@njit
def max_fp(x, k, s):
    """The largest of each window and its index in the window, row by row; the first wins."""
    high, wide = (x.shape[1] - k) // s + 1, (x.shape[2] - k) // s + 1
    out = np.empty((len(x), high, wide), np.float32)
    chosen = np.zeros((len(x), high, wide), np.int32)
    for c in range(len(x)):
        for y in range(high):
            for p in range(wide):
                best = x[c, y * s, p * s]
                for n in range(1, k * k):
                    value = x[c, y * s + n // k, p * s + n % k]
                    if value > best:
                        best, chosen[c, y, p] = value, n
                out[c, y, p] = best
    return out, chosen


@njit
def max_bp(delta, chosen, k, s, high, wide):
    """Errors [C, high, wide] of what was pooled."""
    out = np.zeros((len(delta), high, wide), np.float32)
    for n in range(k * k):
        for c in range(len(delta)):
            for y in range(delta.shape[1]):
                for p in range(delta.shape[2]):
                    if chosen[c, y, p] == n:
                        out[c, y * s + n // k, p * s + n % k] += delta[c, y, p]
    return out


@njit
def average_fp(x, k, s):
    """Averages: each element is scaled, then added."""
    scale = np.float32(1) / np.float32(k * k)
    high, wide = (x.shape[1] - k) // s + 1, (x.shape[2] - k) // s + 1
    out = np.zeros((len(x), high, wide), np.float32)
    for n in range(k * k):
        for c in range(len(x)):
            for y in range(high):
                for p in range(wide):
                    out[c, y, p] += scale * x[c, y * s + n // k, p * s + n % k]
    return out


@njit
def average_bp(delta, k, s, high, wide):
    """Errors [C, high, wide] of what was averaged."""
    scale = np.float32(1) / np.float32(k * k)
    out = np.zeros((len(delta), high, wide), np.float32)
    for n in range(k * k):
        for c in range(len(delta)):
            for y in range(delta.shape[1]):
                for p in range(delta.shape[2]):
                    out[c, y * s + n // k, p * s + n % k] += scale * delta[c, y, p]
    return out


def axpy(s: np.ndarray, a: float, w: np.ndarray) -> np.ndarray:
    """s + a·w, the product rounded first; numbers as the hardware writes them."""
    with np.errstate(all="ignore"):
        return canonical((s + (np.float32(a) * w).astype(np.float32)).astype(np.float32))
