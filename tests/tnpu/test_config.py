"""What a configuration refuses, and what follows from it."""

import pytest

from hw.tnpu.config import PRESETS, TNPUConfig


@pytest.mark.parametrize(("fields", "message"), [
    ({"lanes": 3}, "lanes must be 2, 4, 8 or 16, not 3"),
    ({"rows_c": 3}, r"rows_c must be a power of two up to lanes \(16\), not 3"),
    ({"lanes": 4, "rows_f": 8}, r"rows_f must be a power of two up to lanes \(4\), not 8"),
    ({"slots": 1}, "slots must be 2 to 256, not 1"),
    ({"add_latency": 7}, "add_latency must be 1 to 6, not 7"),
    ({"w_words_f": 40}, r"w_words_f must be a multiple of lanes \(16\)"),
    ({"x_words_f": 8192}, "x_words_f must be at most 4096: X is addressed in 16 bits, by values"),
    ({"rows_c": 1}, "x_words_c must be at most 4096: X is addressed in 16 bits, by rows"),
    ({"rate_beats": 300}, "rate_beats must be 1 to rate_cycles"),
    ({"share_c": 0}, "share_c must be 1 to 255, not 0"),
])
def test_refusals(fields, message):
    with pytest.raises(ValueError, match=message):
        TNPUConfig(**fields)


def test_the_papers_grid():
    paper = PRESETS["paper"]
    assert (paper.rows("c"), paper.rows("f"), paper.multipliers) == (16, 1, 272)
    assert TNPUConfig(rows_c=8, rows_f=8).multipliers == 256
