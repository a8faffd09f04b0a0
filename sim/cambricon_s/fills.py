"""LOADs as the buffers see them: beats on `fill`."""

from cocotb.triggers import RisingEdge

from hw.cambricon_s.instruction import CHOICES
from hw.cambricon_s.layouts import ADDRESS, fill_layout


def row_of_beats(cfg, to, units, unit_bits, *, side=0, first=0, skip=0, garbage=0):
    """A row of a LOAD: `units` (integers of `unit_bits`) to `first` and on, behind `skip` others.

    `unit_bits` is the length of a unit in memory, a fraction or a multiple of a beat. Returns the
    words of `fill`, one per beat.
    """
    layout, out = fill_layout(cfg), []
    image = sum(value << (skip + n) * unit_bits for n, value in enumerate(units))
    image |= garbage & (1 << skip * unit_bits) - 1
    total = -(-(skip + len(units)) * unit_bits // cfg.memory_bits)
    each, parts = max(1, cfg.memory_bits // unit_bits), max(1, unit_bits // cfg.memory_bits)
    for beat in range(total):
        out.append(layout.const({
            "valid": 1, "to": CHOICES["buffer"].index(to), "side": side,
            "base": (first - skip) % (1 << ADDRESS), "index": beat // parts * each,
            "part": beat % parts, "low": skip, "high": skip + len(units),
            "data": image >> beat * cfg.memory_bits & (1 << cfg.memory_bits) - 1}).as_bits())
    return out


async def drive(dut, words, watch=None):
    """One beat per cycle; the cycles in which the signal `watch` was high."""
    seen = []
    for n, word in enumerate(words):
        dut.fill.value = word
        await RisingEdge(dut.clk)
        if watch is not None and int(watch.value):
            seen.append(n)
    dut.fill.value = 0
    return seen
