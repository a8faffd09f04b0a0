"""Local quantisation: k-means that is one, codebooks that give the weights back."""

import numpy as np
import pytest

from golden.cambricon_s.convergence import convergence, matrix
from golden.cambricon_s.quantise import GLOBAL, Submatrices, kmeans, quantise


def test_kmeans_is_a_fixed_point():
    """Each value is nearest to its own centroid, and each centroid is its values' mean."""
    values = np.random.default_rng(0).standard_normal(3000)
    book, index = kmeans(values, 16)
    assert len(book) == 16 and np.all(np.diff(book) > 0)
    assert np.array_equal(np.abs(values[:, None] - book).argmin(1), index)
    assert np.allclose([values[index == n].mean() for n in range(16)], book)


def test_few_values_come_back_exactly():
    values = np.array([3.0, -1, 3, 0.5, -1])
    for count in (3, 4, 200):
        book, index = kmeans(values, count)
        assert book.tolist() == [-1, 0.5, 3]
        assert np.array_equal(book[index], values)
    assert kmeans(values, 1)[0].tolist() == [values.mean()]


def test_no_cluster_is_wasted():
    """Two far heaps: most of the evenly spread centroids have nothing near them."""
    values = np.concatenate([np.linspace(0, 1e-3, 40), np.linspace(1, 1.001, 40)])
    book, index = kmeans(values, 16)
    assert len(book) == 16 and np.bincount(index).min() > 0
    assert np.abs(book[index] - values).max() < 2e-4


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("cut", [GLOBAL, Submatrices(outputs=4), Submatrices(outputs=5, inputs=3)])
def test_each_submatrix_is_clustered_alone(bits, cut):
    rng = np.random.default_rng(bits)
    weights, mask = rng.standard_normal((12, 7, 3, 2)), rng.random((12, 7, 3, 2)) < 0.6
    q = quantise(weights, mask, bits, cut)
    assert np.array_equal(q.mask, mask)
    assert np.array_equal(q.look_up() != 0, mask)
    k, c = cut.outputs or 12, cut.inputs or 7
    boxes = [(slice(a, a + k), slice(b, b + c)) for a in range(0, 12, k) for b in range(0, 7, c)]
    assert len(q.codebooks) == len(boxes)
    for n, box in enumerate(boxes):
        there = mask[box]
        book, index = kmeans(weights[box][there], 1 << bits)
        assert np.array_equal(q.indices[box][there], index)
        assert q.used[n] == len(book)
        assert np.array_equal(q.codebooks[n, :len(book)], book.astype(np.float32))
    assert q.counts().sum() == mask.sum()


def test_local_is_nearer_than_global():
    """Sub-matrices of different scales: the point of local quantisation."""
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((8, 8, 1, 1))
    weights[:4] *= 0.1
    mask = np.ones(weights.shape, bool)
    wide, narrow = (np.square(weights - quantise(weights, mask, 3, cut).look_up())
                    for cut in (GLOBAL, Submatrices(outputs=4)))
    assert narrow[:4].mean() < 0.1 * wide[:4].mean()
    assert narrow[4:].mean() < wide[4:].mean()


def test_tied_clusters_keep_their_members():
    rng = np.random.default_rng(2)
    weights, mask = rng.standard_normal((6, 5, 1, 1)), rng.random((6, 5, 1, 1)) < 0.7
    q = quantise(weights, mask, 2, Submatrices(outputs=3))
    assert np.allclose(q.tie(weights).codebooks, q.codebooks)
    moved = q.tie(weights + 1)
    assert np.array_equal(moved.indices, q.indices)
    assert np.allclose(moved.look_up()[mask], q.look_up()[mask] + 1)


def test_empty_submatrix():
    weights = np.ones((4, 2, 1, 1))
    mask = np.zeros(weights.shape, bool)
    mask[:2] = True
    q = quantise(weights, mask, 4, Submatrices(outputs=2))
    assert q.used.tolist() == [1, 0]
    assert np.array_equal(q.look_up(), weights * mask)


@pytest.mark.parametrize("bits", [0, 9])
def test_refusals(bits):
    with pytest.raises(ValueError, match=f"must be of 1 to 8 bits, not {bits}"):
        quantise(np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1), bool), bits)
    with pytest.raises(ValueError, match="sub-matrix inputs must be at least 0"):
        Submatrices(inputs=-1)
    with pytest.raises(ValueError, match="clusters must be at least 1"):
        kmeans(np.ones(3), 0)


def test_convergence_counts_every_window():
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((9, 14))
    found = convergence(weights, 3, 0.2)
    most = round(0.2 * weights.size)
    flags = np.abs(weights) >= np.sort(np.abs(weights).reshape(-1))[-most]
    counts = [flags[y:y + 3, x:x + 3].sum() for y in range(7) for x in range(12)]
    assert np.allclose(found.share, np.bincount(counts, minlength=10) / len(counts))
    assert found.cumulative[-1] == pytest.approx(1)


def test_scattered_weights_have_ratio_one_and_clusters_more():
    rng = np.random.default_rng(4)
    weights = rng.standard_normal((200, 300))
    assert convergence(weights).variance_ratio == pytest.approx(1, abs=0.1)
    weights *= np.kron(rng.random((50, 75)) < 0.2, np.ones((4, 4))) * 5 + 1
    assert convergence(weights).variance_ratio > 3
    assert matrix(np.arange(24).reshape(2, 3, 2, 2))[1, 7] == 12 + 1 * 4 + 1 * 2 + 1


@pytest.mark.parametrize(("how", "message"), [
    ((1, 0.1), "window must be 2 to the matrix's smaller side"), ((9, 0.1), "not 9"),
    ((2, 0), "share of large weights must be between 0 and 1")])
def test_convergence_refusals(how, message):
    with pytest.raises(ValueError, match=message):
        convergence(np.ones((8, 12)), *how)
