"""Does an array give all its results? `config`: (configuration, flows by column and by row)."""
import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from sim.common.bench import bench_config, rng, start
from sim.s2engine.bench_array import Edges

PATIENCE = 500


@cocotb.test()
async def results_come(dut):
    config, (w, f) = bench_config()
    await start(dut)
    await Edges(dut, config, w, f).run(config.cols, rng(), 0)


@cocotb.test()
async def nothing_comes(dut):
    config, (w, f) = bench_config()
    await start(dut)
    edges = Edges(dut, config, w, f)
    running = cocotb.start_soon(edges.run(config.cols, rng(), 0))
    await ClockCycles(dut.clk, PATIENCE)
    running.cancel()
    await RisingEdge(dut.clk)
    assert any(len(row) < config.cols for row in edges.results), "it does not hang"
