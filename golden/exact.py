"""Integer convolution, exact: float64 BLAS where that is proven exact, integers elsewhere."""

from __future__ import annotations

import numpy as np

from golden.jit import njit


def convolve(weights: np.ndarray, activations: np.ndarray, stride: int = 1,
             pads: tuple[int, int, int, int] = (0, 0, 0, 0), groups: int = 1,
             product_shift: int = 0) -> np.ndarray:
    """Sums of products, each product arithmetically shifted right by `product_shift` first.

    Takes weights ``[K, C/groups, R, S]`` and activations ``[N, C, H, W]``, both integers; pads are
    (top, bottom, left, right). Returns int64 ``[N, K, Ho, Wo]``, exact. Raises ValueError if some
    partial sum could leave int64.
    """
    k, depth, r, s = weights.shape
    n, c = activations.shape[:2]
    if depth * groups != c:
        raise ValueError(f"weights must have {c // groups} channels, not {depth}")
    top, bottom, left, right = pads
    padded = np.pad(activations, ((0, 0), (0, 0), (top, bottom), (left, right)))
    ho, wo = ((side - size) // stride + 1
              for side, size in zip(padded.shape[2:], (r, s), strict=True))
    matmul = _pick(weights, padded, product_shift)
    out = np.zeros((groups, k // groups, n * ho * wo), dtype=matmul.dtype)
    split = weights.reshape(groups, k // groups, depth, r, s)
    for y in range(r):
        for x in range(s):
            part = padded[:, :, y:y + (ho - 1) * stride + 1:stride,
                          x:x + (wo - 1) * stride + 1:stride]
            columns = np.moveaxis(part, 1, 0).reshape(groups, depth, n * ho * wo)
            for g in range(groups):
                matmul(split[g, :, :, y, x], columns[g], out[g], product_shift)
    exact = out.astype(np.int64).reshape(k, n, ho, wo)
    return np.ascontiguousarray(np.moveaxis(exact, 1, 0))


class _Float:
    """Partial sums below 2^53: every float64 product and sum, in any order, is exact."""

    dtype = np.float64

    def __call__(self, w: np.ndarray, a: np.ndarray, out: np.ndarray, product_shift: int) -> None:
        out += w.astype(np.float64) @ a.astype(np.float64)


class _Integer:
    """Integers of `product` bits for the products and 64 for the sums."""

    dtype = np.int64

    def __init__(self, product: type[np.signedinteger]) -> None:
        self.product = product

    def __call__(self, w: np.ndarray, a: np.ndarray, out: np.ndarray, product_shift: int) -> None:
        _shifted_matmul(np.ascontiguousarray(w, self.product),
                        np.ascontiguousarray(a, self.product), out, self.product(product_shift))


def _pick(weights: np.ndarray, activations: np.ndarray, product_shift: int) -> _Float | _Integer:
    """The fastest arithmetic that the operands' actual sizes prove exact.

    With B = max over k of Σ|w| · max|a|, every partial sum in any order is at most B. Shifting
    a product moves it at most to the next integer below, so |product >> p| <= max(|product|, 1).
    """
    largest = _magnitude(activations)
    rows = np.abs(weights.astype(np.float64)).reshape(len(weights), -1).sum(axis=1)
    # Rounding in `rows` is relative 2^-53 per term, far inside the factor 2 kept in reserve.
    bound = float(rows.max(initial=0.0)) * largest
    if product_shift == 0 and bound < 2.0**52:
        return _Float()
    if bound >= 2.0**62:
        raise ValueError(f"sums up to {bound:.3g} must stay below 2^62 to be computed exactly")
    product = _magnitude(weights) * largest
    return _Integer(np.int32 if product < 2**31 and product_shift < 32 else np.int64)


def _magnitude(values: np.ndarray) -> int:
    return max(abs(int(values.min(initial=0))), abs(int(values.max(initial=0))))


@njit
def _shifted_matmul(w, a, out, product_shift):
    """out[k, n] += Σ_c (w[k, c] · a[c, n]) >> product_shift; zero weights are skipped."""
    for k in range(w.shape[0]):
        row = out[k]
        for c in range(w.shape[1]):
            if w[k, c] != 0:
                for n in range(a.shape[1]):
                    row[n] += (w[k, c] * a[c, n]) >> product_shift
