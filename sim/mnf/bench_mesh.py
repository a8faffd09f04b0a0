"""Bench of Mesh: both networks beside golden, every output, every cycle; delivery; hops."""
import cocotb

from golden.mnf.network import Mesh
from hw.mnf.layouts import flit_layout, result_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.common.lockstep import lockstep


def nodes_of(cfg, port):
    """The PEs' nodes in a port's section."""
    rows = range(port * cfg.mesh_rows // cfg.ports, (port + 1) * cfg.mesh_rows // cfg.ports)
    return [n for n in range(1, cfg.nodes) if n // cfg.mesh_cols in rows]


def flit(cfg, dest, payload):
    return dest | payload % (1 << flit_layout(cfg).size - cfg.nodes) << cfg.nodes


@cocotb.test()
async def lockstep_with_golden(dut):
    """Any destinations, also ones that are not there; all stalls; resets."""
    cfg, r = bench_config(), rng()
    words = {}
    for port in range(cfg.ports):
        section = sum(1 << n for n in nodes_of(cfg, port))

        def word(r, section=section):
            dest = r.choice([section, 1 << r.randrange(cfg.nodes), r.getrandbits(cfg.nodes)])
            if r.random() < 0.9:
                dest &= section
            return flit(cfg, dest, r.getrandbits(200))
        words[f"port_i__{port}"] = word
    for pe in range(cfg.pes):
        words[f"pe_i__{pe}"] = lambda r: r.getrandbits(result_layout(cfg).size)
    await start(dut)
    await lockstep(dut, Mesh(cfg), 700, r, words)


@cocotb.test()
async def every_flit_reaches_its_nodes_once_in_order(dut):
    """All ports and all PEs at once, readers that stall: nothing is lost, nothing hangs."""
    cfg, r = bench_config(), rng()
    await start(dut)
    due = {n: [] for n in range(1, cfg.nodes)}
    for port in range(cfg.ports):
        own, flits = nodes_of(cfg, port), []
        for number in range(60):
            to = r.sample(own, r.randint(1, len(own)))
            flits.append(flit(cfg, sum(1 << n for n in to), number))
            for n in to:
                due[n].append(flit(cfg, 1 << n, number))
        cocotb.start_soon(send(dut, f"port_i__{port}", flits, rng(port), 0.2))
    results = {pe: [number * cfg.nodes * 2 + pe for number in range(30)] for pe in range(cfg.pes)}
    for pe, sent in results.items():
        cocotb.start_soon(send(dut, f"pe_i__{pe}", sent, rng(pe + 10), 0.2))
    readers = {n: cocotb.start_soon(recv(dut, f"pe_o__{n - 1}", len(due[n]), rng(n + 50), 0.5))
               for n in due}
    sinks = [cocotb.start_soon(recv(dut, f"port_o__{port}", 30 * len(nodes_of(cfg, port)),
                                    rng(port + 90), 0.3)) for port in range(cfg.ports)]
    for n, reader in readers.items():
        assert (await reader)[0] == due[n]
    for port, sink in enumerate(sinks):
        got, _ = await sink
        for node in nodes_of(cfg, port):
            assert [w for w in got if w % (cfg.nodes * 2) == node - 1] == results[node - 1]


@cocotb.test()
async def a_hop_takes_a_cycle(dut):
    """A flit from port 0 to each node of its section, and back, one at a time."""
    cfg = bench_config()
    await start(dut)
    for node in nodes_of(cfg, 0):
        hops = sum(divmod(node, cfg.mesh_cols))
        cocotb.start_soon(send(dut, "port_i__0", [flit(cfg, 1 << node, 5)]))
        _, cycles = await recv(dut, f"pe_o__{node - 1}", 1)
        assert cycles == 2 + hops
        cocotb.start_soon(send(dut, f"pe_i__{node - 1}", [7]))
        _, cycles = await recv(dut, "port_o__0", 1)
        assert cycles == 2 + hops
