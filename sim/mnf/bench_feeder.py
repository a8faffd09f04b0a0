"""Bench of Feeder: lines to the ports of their PEs, flit by flit, each port in order."""
import cocotb
from cocotb.triggers import Combine, RisingEdge

from hw.mnf.fields import flits_per_line, payload_bits
from hw.mnf.layouts import flit_layout, flit_line_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.mnf.bench_mesh import nodes_of
from sim.mnf.cases import packer


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.4])
async def every_port_gets_its_own(dut, p_stall):
    cfg, r = bench_config(), rng(p_stall)
    most, line = flits_per_line(cfg), packer(flit_line_layout(cfg))
    flit, lines = packer(flit_layout(cfg)), []
    expected = [[] for _ in range(cfg.ports)]
    sections = [sum(1 << node for node in nodes_of(cfg, port) if node) for port in range(cfg.ports)]
    for _ in range(80):
        dest = r.choice([r.randrange(1, 1 << cfg.pes) << 1, 2 << r.randrange(cfg.pes)])
        kind, count = r.randrange(5), r.choice([1, most, r.randint(1, most)])
        payloads = [r.getrandbits(payload_bits(cfg)) for _ in range(most)]
        lines.append(line({"kind": kind, "dest": dest, "count": count, "payloads": payloads}))
        for port, section in enumerate(sections):
            if dest & section:
                expected[port] += [flit({"dest": dest & section, "kind": kind, "payload": payload})
                                   for payload in payloads[:count]]
    await start(dut)
    tasks = [cocotb.start_soon(send(dut, "i", lines, r, p_stall))]
    tasks += [cocotb.start_soon(recv(dut, f"o__{port}", len(words), r, p_stall))
              for port, words in enumerate(expected)]
    await Combine(*tasks)
    for task, words in zip(tasks[1:], expected, strict=True):
        assert task.result()[0] == words
    await RisingEdge(dut.clk)
    assert int(dut.idle.value)


@cocotb.test()
async def wrong_lines_go_nowhere(dut):
    cfg = bench_config()
    line = packer(flit_line_layout(cfg))
    await start(dut)
    for dest, count, wrong, stray in ((2, 0, 1, 0), (2, flits_per_line(cfg) + 1, 1, 0),
                                      (3, 1, 0, 1), (1, 1, 0, 1), (0, 1, 0, 1)):
        dut.i__payload.value = line({"dest": dest, "count": count})
        dut.i__valid.value = 1
        await RisingEdge(dut.clk)
        assert (int(dut.wrong.value), int(dut.stray.value)) == (wrong, stray)
        dut.i__valid.value = 0
        await RisingEdge(dut.clk)
        assert int(dut.idle.value)
