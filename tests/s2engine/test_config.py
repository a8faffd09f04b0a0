"""Configurations: the paper's widths, refusals, anything from 1 x 1 to 128 x 128."""

import pytest

from hw.s2engine.config import PRESETS, S2Config


def test_the_papers_widths():
    paper = PRESETS["paper"]
    assert (paper.feature_bits, paper.weight_bits) == (13, 14)
    assert (PRESETS["mixed"].feature_bits, PRESETS["mixed"].weight_bits) == (14, 15)
    assert PRESETS["mixed"].hold_depth == 32


@pytest.mark.parametrize("change, message", [
    ({"rows": 0}, "rows must be 1 to 128, not 0"), ({"cols": 129}, "cols must be 1 to 128"),
    ({"w_depth": 0}, "w_depth must be 1 to 64"), ({"wf_depth": 65}, "wf_depth must be 1 to 64"),
    ({"ratio": 3}, "ratio must be 1, 2, 4 or 8, not 3"), ({"group": 33}, "group must be 2 to 32"),
    ({"acc_bits": 15}, "acc_bits must be 16 to 48"),
    ({"acc_bits": 31, "mixed": True}, "at least 32 with mixed"),
    ({"fb_tokens": 63}, "fb_tokens must be at least four dense groups"),
    ({"memory_bits": 96}, "memory_bits must be"), ({"max_kernels": 0}, "max_kernels must be"),
    ({"addr_bits": 8}, "addr_bits must be"),
])
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        S2Config(**change)


def test_lines_hold_a_group_and_a_weight():
    for config in (*PRESETS.values(), S2Config(rows=128, cols=128, group=32, mixed=True)):
        assert config.line_content_bits >= config.group * config.feature_bits
        assert config.weights_per_line >= 1 and config.biases_per_line >= 1
