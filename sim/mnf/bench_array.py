"""Bench of Array: whole layers, pass by pass; what the PEs fire is the layer's output."""
import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, Combine, RisingEdge

from golden import layers as arithmetic
from golden.mnf.events import Pixels, Target
from golden.mnf.fire import fire
from golden.mnf.geometry import Geometry
from golden.mnf.passes import passes
from golden.mnf.settings import generator_setting
from hw.mnf.fields import Kind
from hw.mnf.layouts import generator_layout, pixel_layout, result_layout
from sim.common.bench import bench_config, recv, rng, send, start
from sim.mnf.bench_mesh import nodes_of
from sim.mnf.cases import packer
from sim.mnf.flits import Flits


class Machine:
    """The array's ports, and the storage that this bench is."""

    def __init__(self, dut, cfg, r, p_stall):
        self.dut, self.cfg, self.r, self.p_stall = dut, cfg, r, p_stall
        self.layout = result_layout(cfg)

    def port_of(self, node):
        return next(p for p in range(self.cfg.ports) if node in nodes_of(self.cfg, p))

    async def each(self, jobs):
        """Coroutines side by side."""
        await Combine(*[cocotb.start_soon(job) for job in jobs])

    async def set_up(self, layer, tensors, shares):
        """Registers, weights and biases of PEs, each port its own."""
        queues = [[] for _ in range(self.cfg.ports)]
        for pe, share in enumerate(shares):
            flits = Flits(self.cfg, 2 << pe)
            queues[self.port_of(pe + 1)] += [
                *flits.registers(layer, share, fires=share.fires, waits=1, base=0, threshold=0),
                *flits.weights(layer, tensors, share), *flits.biases(layer, tensors, share)]
        await self.each(self.send(f"flit__{p}", queue) for p, queue in enumerate(queues))

    def send(self, name, words):
        return send(self.dut, name, words, self.r, self.p_stall)

    def targets(self, layer, shares, port):
        """PEs of a port that get the same events, together."""
        depth, found = layer.c // layer.groups, {}
        for pe, share in enumerate(shares):
            if self.port_of(pe + 1) == port:
                first = share.group * depth
                key = share.band, (first + share.c[0], first + share.c[1])
                found[key] = found.get(key, 0) | 2 << pe
        return [Target(dest, *key) for key, dest in found.items()]

    async def multiply(self, layer, tensors, shares):
        """Every port replays the whole map, then the end of the data."""
        pack = packer(pixel_layout(self.cfg))
        pixels = Pixels.of(tensors.activations)
        words = [pack(dict(zip(("value", "channel", "y", "x"), map(int, one), strict=True)))
                 for one in zip(pixels.value, pixels.channel, pixels.y, pixels.x, strict=True)]
        for port in range(self.cfg.ports):
            getattr(self.dut, f"setting__{port}").value = packer(generator_layout(self.cfg))(
                generator_setting(Geometry.of(layer), self.targets(layer, shares, port),
                                  shares[0].lanes.pitch, self.cfg))
        await self.each(self.send(f"pixel__{port}", words) for port in range(self.cfg.ports))
        await self.each(
            self.send(f"flit__{port}", [Flits(self.cfg, dest).flit(Kind.END)])
            for port in range(self.cfg.ports)
            if (dest := sum(t.dest for t in self.targets(layer, shares, port))))

    async def collect(self, expected):
        """What comes out of each port, of the PEs in its section: checked against `fire`."""
        got = []
        for port in range(self.cfg.ports):
            own = {n: rows for n, rows in expected.items() if self.port_of(n) == port}
            if not own:
                continue
            words, _ = await recv(self.dut, f"result__{port}",
                                  sum(len(rows) + 1 for rows in own.values()), self.r,
                                  self.p_stall)
            results = [self.layout.from_bits(word) for word in words]
            for node, rows in own.items():
                mine = [e for e in results if e.source == node]
                assert [(e.value, e.channel, e.y, e.x) for e in mine[:-1]] == rows
                assert mine[-1].end and not any(e.end for e in mine[:-1])
            got += [e for e in results if not e.end]
        return got


@cocotb.test()
@cocotb.parametrize(p_stall=[0.0, 0.3])
async def layers_come_out_whole(dut, p_stall):
    given = bench_config()
    cfg, r = given["config"], rng(p_stall)
    await start(dut)
    await ClockCycles(dut.clk, cfg.acc_entries + 1)
    machine, fired = Machine(dut, cfg, r, p_stall), 0
    for layer, tensors, mapping in given["cases"]:
        result = arithmetic.reference(layer, tensors.weights, tensors.activations, tensors.bias)
        sums = arithmetic.sums(layer, tensors.weights, tensors.activations, tensors.bias)
        out = np.zeros_like(result.outputs)
        for shares in passes(mapping):
            if not shares:
                continue
            await machine.set_up(layer, tensors, shares)
            await machine.multiply(layer, tensors, shares)
            if not shares[0].fires:
                continue
            expected = {pe + 1: [tuple(row) for row in fire(share, layer, sums, None).tolist()]
                        for pe, share in enumerate(shares)}
            for e in await machine.collect(expected):
                out[e.channel, e.y, e.x] = e.value
        assert (out == result.outputs).all(), layer
        fired += np.count_nonzero(out)
        await RisingEdge(dut.clk)
        assert not any(int(getattr(dut, what).value) for what in ("bad_flit", "bad_event", "stray"))
    assert fired > 200
