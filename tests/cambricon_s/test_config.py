"""The configuration: what follows from the sizes, and what is refused."""

import pytest

from hw.cambricon_s.config import PRESETS, CambriconSConfig


def test_paper_sides():
    paper = PRESETS["paper"]
    assert paper.multipliers == 256
    assert (paper.granule_bits, paper.window_granules, paper.nbin_granules) == (256, 16, 128)
    assert (paper.sib_words, paper.sb_words, paper.nbout_vectors) == (16, 32, 42)
    assert paper.target_bits == 13 and paper.offset_bits == 9


@pytest.mark.parametrize("name", PRESETS)
def test_sides_fit_the_buffers(name):
    cfg = PRESETS[name]
    assert 2 * cfg.nbin_granules * cfg.granule_bits <= 8 * cfg.nbin_bytes
    assert 2 * cfg.sib_words * cfg.window <= 8 * cfg.sib_bytes
    assert 2 * cfg.sb_words * cfg.sb_word_bits <= 8 * cfg.sb_bytes
    assert 2 * cfg.nbout_vectors * cfg.tm * cfg.acc_bits <= 8 * cfg.nbout_bytes
    assert cfg.sb_words % cfg.sb_view == 0


@pytest.mark.parametrize(("change", "message"), [
    ({"tm": 0}, "tm must be at least 1, not 0"),
    ({"tn": 12}, "tn must be a power of two, not 12"),
    ({"tm": 300}, "tm and tn must be at most 256"),
    ({"sb_view": 3}, "sb_view must be a power of two"),
    ({"data_bits": 17}, "data_bits must be 2, 4, 8 or 16, not 17"),
    ({"acc_bits": 31}, r"acc_bits must be 2 · data_bits \(32\) to 64, not 31"),
    ({"window": 8}, r"window must be a power of two and at least tn \(16\)"),
    ({"window": 48}, "window must be a power of two"),
    ({"table_bits": 3}, "table_bits must be 4 to 14"),
    ({"ib_words": 5}, "ib_words must be even and at least 4"),
    ({"nbin_bytes": 1023}, "nbin_bytes must hold a word of 4096 bits on each side, not 1023"),
    ({"sib_bytes": 63}, "sib_bytes must hold a word of 256 bits"),
    ({"sb_bytes": 127}, "sb_bytes must hold a word of 512 bits"),
    ({"nbout_bytes": 191}, "nbout_bytes must hold a word of 768 bits"),
    ({"tm": 12, "shared_index": False}, "tm must be a power of two where each PE has an index"),
    ({"memory_bits": 96}, "memory_bits must be 64, 128, 256, 512 or 1024"),
])
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        CambriconSConfig(**change)
