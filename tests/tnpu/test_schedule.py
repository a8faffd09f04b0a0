"""Fig. 5, slot by slot; what every schedule must keep."""

import pytest

from golden.tnpu.schedule import Block, check, live_instances, queue_c, queue_f, slots


def named(table):
    """Slots as Fig. 5 writes them: "0-FP" or "-"."""
    def name(slot, unit):
        block = slot.get(unit)
        return f"{block.instance}-{block.phase}" if block else "-"
    return [(name(slot, "c"), name(slot, "f")) for slot in table]


def test_figure_5a():
    assert named(slots(2, 1)) == [
        ("0-FP", "-"), ("-", "0-FP"), ("-", "0-BP"), ("0-BP", "0-GD"), ("0-GD", "-"),
        ("1-FP", "-"), ("-", "1-FP"), ("-", "1-BP"), ("1-BP", "1-GD"), ("1-GD", "-")]


def test_figure_5b():
    assert named(slots(4, 3))[:10] == [
        ("0-FP", "-"), ("1-FP", "0-FP"), ("2-FP", "0-BP"), ("0-BP", "0-GD"), ("0-GD", "1-FP"),
        ("3-FP", "1-BP"), ("1-BP", "1-GD"), ("1-GD", "2-FP"), ("-", "2-BP"), ("2-BP", "2-GD")]


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 50])
def test_slots_in_all(batch):
    """5n conventionally, 3n + 2 with SOSM: 250 and 152 for the paper's batch of 50."""
    assert len(slots(batch, 1)) == 5 * batch
    assert len(slots(batch, 3)) == 3 * batch + 2
    assert len(slots(batch, 1, multiplexed=True)) == 6 * batch


def test_further_ahead_gains_nothing():
    assert [len(slots(50, live)) for live in (2, 3, 4, 8)][1:] == [152] * 3


@pytest.mark.parametrize("live", [1, 2, 3, 5])
def test_every_block_once_and_in_order(live):
    for queue in (queue_c(9, live), queue_f(9)):
        assert len(set(queue)) == len(queue) == 27
        for phase in ("FP", "BP", "GD"):
            assert [b.instance for b in queue if b.phase == phase] == list(range(9))
    at = {block: n for n, block in enumerate(queue_c(9, live))}
    for n in range(9 - live):       # an instance's memory is free before it is used again
        assert at[Block("GD", n)] < at[Block("FP", n + live)]


def test_refusals():
    with pytest.raises(ValueError, match="sosm, conventional, time_multiplexed, separate"):
        check("fast", 3)
    with pytest.raises(ValueError, match="1 to 64 live instances, not 0"):
        check("sosm", 0)
    assert live_instances("sosm", 3, 2) == 2 and live_instances("conventional", 3, 9) == 1
