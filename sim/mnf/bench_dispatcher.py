"""Bench of Dispatcher: every lane's operand against golden's targets."""
import cocotb

from golden.mnf.settings import dispatch_setting
from hw.mnf.layouts import dispatch_layout, operands_layout, work_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.mnf.cases import packer, random_events, random_lanes


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def operands_are_golden_s(dut, p_stall):
    """Without stalls: two cycles of latency, and then operands in every cycle."""
    cfg, r = bench_config(), rng(p_stall)
    layout = operands_layout(cfg)
    await start(dut)
    for _ in range(10):
        lanes, geometry, channels, band = random_lanes(cfg, r)
        dut.setting.value = packer(dispatch_layout(cfg))(dispatch_setting(lanes, cfg))
        work = [(event.value, vector, [r.getrandbits(cfg.data_bits) for _ in range(cfg.lanes)])
                for event in random_events(cfg, r, lanes, geometry, channels, band, 12)
                for vector in lanes.vectors(event)][:60]
        work.insert(r.randrange(len(work)), None)
        sender = cocotb.start_soon(send(dut, "i", [word(cfg, w) for w in work], r, p_stall))
        words, cycles = await recv(dut, "o", len(work), r, p_stall)
        await sender
        assert p_stall or cycles == len(work) + 2
        for got, item in zip(map(layout.from_bits, words), work, strict=True):
            check(cfg, lanes, got, item)


def word(cfg, item):
    if item is None:
        return packer(work_layout(cfg))({"vector": {"end": 1}})
    value, vector, weights = item
    joined = sum(w << cfg.data_bits * n for n, w in enumerate(weights))
    fields = {"value": value, "entry": vector.entry % (1 << cfg.entry_bits),
              "rotation": vector.rotation, "rows": vector.rows, "cols": vector.cols}
    return packer(work_layout(cfg))({"vector": fields, "weights": joined})


def check(cfg, lanes, got, item):
    enabled = {n: got.lanes[n] for n in range(cfg.lanes) if got.lanes[n].enable}
    assert got.end == (item is None)
    if item is None:
        assert not enabled
        return
    value, vector, weights = item
    targets = {bank: (slot, entry) for slot, bank, entry in lanes.targets(vector)}
    assert got.value == value and enabled.keys() == targets.keys(), (lanes, vector)
    for bank, (slot, entry) in targets.items():
        assert enabled[bank].entry == entry, (lanes, vector, bank)
        assert enabled[bank].weight % (1 << cfg.data_bits) == weights[slot], (lanes, vector, bank)
