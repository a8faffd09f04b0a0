"""MNF's parameters: Table 3, Table 5's port, and refusals."""
import dataclasses

import pytest

from hw.mnf.config import PRESETS


def test_table_3():
    paper = PRESETS["paper"]
    assert (paper.pes, paper.lanes, paper.multipliers) == (11, 27, 297)
    assert paper.weights == 691_200             # bytes: 691.2 KB
    assert paper.neurons * 4 == 67.5 * 1024     # 67.5 KB of 32-bit sums
    assert paper.neurons == 17_280
    assert paper.word_bits == 216               # Table 5: a PE buffer of 216 bits
    assert paper.neuron_bits == 15


@pytest.mark.parametrize("field, value, message", [
    ("ports", 4, "ports must be 1 to mesh_rows (3), not 4"),
    ("lanes", 3, "lanes must be 4 to 64, not 3"),
    ("acc_bits", 12, "acc_bits must be at least 2 · data_bits (16), not 12"),
    ("memory_bits", 96, "memory_bits must be 64, 128, 256, 512 or 1024, not 96"),
    ("event_fifo", 1, "event_fifo must be 2 to 64, not 1"),
])
def test_refusals(field, value, message):
    with pytest.raises(ValueError) as error:
        dataclasses.replace(PRESETS["paper"], **{field: value})
    assert str(error.value) == message


def test_one_node_is_no_machine():
    with pytest.raises(ValueError, match="at least 2: one node is the storage PE"):
        dataclasses.replace(PRESETS["paper"], mesh_cols=1, mesh_rows=1, ports=1)
