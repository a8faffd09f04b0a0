"""Bench of DS: every output in every cycle, beside golden; and the steps of Fig. 7."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.s2engine.ds import DS
from golden.s2engine.tokens import Pair, Token, pack_pair
from hw.s2engine.config import S2Config
from sim.common.bench import bench_config, reset, rng, send, start
from sim.common.lockstep import lockstep
from sim.s2engine.flows import Packed, joined, packers, random_kernels


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.7, 1.0)])
async def lockstep_with_golden(dut, stalls):
    config, random = bench_config(S2Config), rng(str(stalls))
    depths = config.w_depth, config.f_depth, config.wf_depth
    full = dict.fromkeys(("w", "f", "pair"), 0)
    await start(dut)
    for _ in range(2):                          # the second time after a reset amid a kernel
        w, f = random_kernels(random, config, 2, 90)
        w, f = joined(w, config, eok=True), joined(f, config, eok=False)
        model = DS(w, f, depths)
        packed = Packed(model, packers(config))
        await lockstep(dut, packed, 1000, random, stalls=stalls, p_reset=0,
                       words={"w_i": packed.source("w_i", w), "f_i": packed.source("f_i", f)})
        full = {name: max(level, model.high_water[name]) for name, level in full.items()}
        await reset(dut)
    if len(stalls) == 4:
        assert tuple(full.values()) == depths, f"not every FIFO was full: {full}"


@cocotb.test()
async def figure_7(dut):
    """The paper's example: 7 steps in 7 cycles, one pair, the pushes in the order that it tells."""
    config = bench_config(S2Config)
    pack = packers(config)
    w = [Token(1, 0), Token(2, 1), Token(3, 3, eog=1), Token(4, 4, eog=1, eok=1)]
    f = [Token(5, 1), Token(6, 2), Token(7, 4), Token(8, 5, eog=1), Token(9, 1),
         Token(10, 5, eog=1)]
    await start(dut)
    for name in ("w_o__ready", "f_o__ready", "pair__ready"):
        getattr(dut, name).value = 1
    cocotb.start_soon(send(dut, "w_i", [pack["w_i"](token) for token in w]))
    cocotb.start_soon(send(dut, "f_i", [pack["f_i"](token) for token in f]))
    pushes, steps, pairs = [], [], []
    for _ in range(30):
        await RisingEdge(dut.clk)
        push = int(dut.w_o__valid.value), int(dut.f_o__valid.value)
        pushes += [push] if any(push) else []
        steps.append(int(dut.multiply.value) + int(dut.select.value))
        if dut.pair__valid.value == 1:
            pairs.append(int(dut.pair__payload.value))
    assert sum(steps) == 7
    if min(config.w_depth, config.f_depth) > 1:     # else the tokens come every other cycle
        # The first tokens come in; then cycles 0 to 5. The seventh step ends the kernel: no push.
        assert pushes == [(1, 1), (1, 0), (1, 1), (0, 1), (0, 1), (1, 1), (0, 1)], pushes
        first = steps.index(1)
        assert steps[first:first + 7] == [1] * 7
    assert pairs == [pack_pair(Pair(2, 5, 0, 1, 0), config), pack_pair(Pair(last=1), config)]
