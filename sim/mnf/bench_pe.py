"""Bench of PE: passes one after the other, flits in, fired events out."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.mnf.fire import fire
from hw.mnf.fields import Kind
from hw.mnf.layouts import flit_layout, result_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.mnf.cases import packer
from sim.mnf.flits import Flits

NODE = 2


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.3])
async def fires_golden_s_events(dut, p_stall):
    """Sums in alternate regions where both fit: a pass multiplies while the one before drains."""
    given = bench_config()
    cfg, r = given["config"], rng(p_stall)
    await start(dut)
    dut.node.value = NODE
    flits, expected, free, overlaps = [], [], cfg.acc_entries, 0
    before = (0, 0)                 # the entries that are drained when the next pass begins
    for layer, tensors, shares, sums in given["cases"]:
        size = max(s.lanes.groups * s.lanes.stretch for s in shares)
        base = before[1] if before[1] + size <= free else 0
        waits = base < before[1] and before[0] < base + size
        overlaps += not waits and before[1] > 0
        threshold = r.choice([0, 0, 1, 9])
        for share in shares:
            flits += Flits(cfg, 1 << NODE).whole(layer, tensors, share, waits=waits, base=base,
                                                 threshold=threshold)
        expected += [(0, *row) for row in fire(shares[-1], layer, sums, tensors.bias,
                                               threshold).tolist()] + [None]
        before = (base, base + size)
    assert overlaps
    sender = cocotb.start_soon(send(dut, "i", flits, r, p_stall))
    words, _ = await recv(dut, "o", len(expected), r, p_stall)
    await sender
    for got, row in zip(map(result_layout(cfg).from_bits, words), expected, strict=True):
        assert got.source == NODE and got.end == (row is None)
        assert row is None or (got.end, got.value, got.channel, got.y, got.x) == row


@cocotb.test()
async def a_flit_of_no_kind(dut):
    """It is reported and dropped, as is a register that is not there."""
    cfg = bench_config()["config"]
    await start(dut)
    flits = Flits(cfg, 1)
    for _ in range(cfg.acc_entries):
        await RisingEdge(dut.clk)
    for word in (packer(flit_layout(cfg))({"kind": 7}), flits.config(Kind.CONFIG, 5000, 1)):
        dut.i__payload.value, dut.i__valid.value = word, 1
        await RisingEdge(dut.clk)
        assert int(dut.bad_flit.value) and int(dut.i__ready.value)
    dut.i__valid.value = 0
    await RisingEdge(dut.clk)
    assert not int(dut.bad_flit.value)
