"""Irregularity through JBIG; the tool itself is seen to lose nothing."""

import shutil

import numpy as np
import pytest

from golden.cambricon_s.convergence import matrix
from golden.cambricon_s.irregularity import fine_mask, irregularity, total
from golden.cambricon_s.pruning import Block, Pruning, prune
from golden.formats import jbig


def test_jbig_gives_the_image_back():
    rng = np.random.default_rng(0)
    for shape in ((1, 1), (3, 17), (64, 200)):
        image = rng.random(shape) < 0.3
        assert np.array_equal(jbig.decode(jbig.encode(image)), image)


def test_coarse_is_more_regular_at_the_same_density():
    weights = np.random.default_rng(1).standard_normal((128, 64, 3, 3))
    coarse = prune(weights, Pruning(block=Block(fout=16), density=0.3))
    fine = fine_mask(weights, int(coarse.sum()))
    found = irregularity(fine, coarse)
    assert found.kept == coarse.sum() == fine.sum()
    assert found.raw == weights.size // 8
    assert found.fine == len(jbig.encode(matrix(fine)))
    assert found.ratio == found.fine / found.coarse > 8
    both = total([found, found])
    assert (both.fine, both.ratio) == (2 * found.fine, found.ratio)


def test_other_densities_are_refused():
    mask = np.ones((4, 4, 1, 1), bool)
    with pytest.raises(ValueError, match="one tensor and one density, not 16 synapses"):
        irregularity(mask, np.eye(4, dtype=bool)[:, :, None, None])


def test_a_missing_tool_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(jbig.JbigMissing, match="apt-get install jbigkit-bin"):
        jbig.encode(np.ones((2, 2), bool))


def test_bad_images_and_streams_are_refused():
    with pytest.raises(ValueError, match="must have two sides"):
        jbig.encode(np.ones((2, 2, 2), bool))
    with pytest.raises(ValueError, match="jbgtopbm failed"):
        jbig.decode(b"no JBIG at all")
