"""Dispatch: every lane goes with the first view that holds it; a cycle per view."""

import cocotb
from cocotb.triggers import RisingEdge

from golden.cambricon_s.pe import issues
from hw.cambricon_s.config import WIDTHS, CambriconSConfig
from hw.cambricon_s.layouts import issue_layout, vector_layout
from sim.common.bench import bench_config, recv, rng, send, start


def random_vector(cfg, rand, width):
    """Ascending targets, near and far."""
    most = min(1 << cfg.target_bits, cfg.sb_words * cfg.sb_word_bits // width)
    count = rand.choice([0, 1, cfg.tn, cfg.tn, rand.randint(0, cfg.tn)])
    span = rand.choice([count, 3 * cfg.tn, cfg.sb_word_bits // width * 3, most])
    span = min(max(span, count), most)
    first = rand.randint(0, most - span)
    targets = sorted(rand.sample(range(first, first + span), count))
    half = 1 << (cfg.data_bits - 1)
    return [(rand.randrange(-half, half), target) for target in targets]


async def watch(dut, vectors, rand, p_stall):
    """What it says of the vector at its input, which has (views, last); `meet` comes and goes."""
    for views, last in vectors:
        while views:
            dut.meet.value = rand.random() >= p_stall
            await RisingEdge(dut.clk)
            there, ends = bool(dut.i__valid.value), last and views == 1
            assert dut.out_of_view.value == (there and views > 1)
            assert dut.ends.value == (there and ends)
            goes = there and (not dut.o__valid.value or bool(dut.o__ready.value))
            goes = goes and (not ends or bool(dut.meet.value))
            views -= goes
            assert dut.i__ready.value == (goes and not views)


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def cuts_where_the_view_ends(dut, p_stall):
    cfg, rand = bench_config(CambriconSConfig), rng(p_stall)
    await start(dut)
    for log, width in enumerate(WIDTHS):
        dut.width.value = log
        base = rand.randrange(cfg.sb_words)
        dut.word.value = base
        words, wanted, vectors = [], [], []
        for _ in range(20):
            lanes, last = random_vector(cfg, rand, width), rand.random() < 0.3
            synapses = rand.getrandbits(cfg.target_bits + 1)
            words.append(vector_layout(cfg).const({
                "lanes": [{"neuron": a, "target": t} for a, t in lanes], "count": len(lanes),
                "last": last, "synapses": synapses}).as_bits())
            views = issues(lanes, last, width, cfg.sb_view, cfg.sb_word_bits, base)
            vectors.append((len(views), last))
            wanted += [(view, synapses) for view in views]
        sender = cocotb.start_soon(send(dut, "i", words, rand, p_stall))
        watcher = cocotb.start_soon(watch(dut, vectors, rand, p_stall))
        got, cycles = await recv(dut, "o", len(wanted), rand, p_stall)
        await sender
        await watcher
        for word, (issue, synapses) in zip(got, wanted, strict=True):
            out = issue_layout(cfg).from_bits(word)
            lanes = [(n, lane.neuron, lane.offset) for n, lane in enumerate(out.lanes)
                     if lane.valid]
            assert lanes == list(issue.lanes)
            assert bool(out.last) == issue.last and out.synapses == synapses
            assert not lanes or out.word == issue.word % (1 << len(dut.word))
        assert p_stall or cycles == len(wanted) + 1
