# Ref: Yu et al., "Multiply-and-Fire", Section 5.1: PEs on a mesh.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .layouts import flit_layout, result_layout
from .router import Branch, EventRouter, ResultRouter


def section(cfg, row):
    """(port, first row, end) of the mesh rows that a port serves, of which `row` is one."""
    port = next(p for p in range(cfg.ports) if row < (p + 1) * cfg.mesh_rows // cfg.ports)
    return port, port * cfg.mesh_rows // cfg.ports, (port + 1) * cfg.mesh_rows // cfg.ports


def section_nodes(cfg, port):
    """The PEs of a port's section, a bit per node."""
    return sum(1 << node for node in range(1, cfg.nodes)
               if section(cfg, node // cfg.mesh_cols)[0] == port)


class Mesh(wiring.Component):
    """Both networks between the storage PE (node 0) and the PEs (PE p is node p + 1).

    Events: XY multicast, E along the first row of a port's section of mesh rows, then S. Results:
    W to column 0, then N to that row. A router per node and network, node 0 included.

    A flit taken from a port in cycle t is offered to the PE at a distance of h hops in t + 1 + h,
    if nothing is in its way; a result likewise.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    port_i : In(stream.Signature(flit_layout(cfg))).array(ports)
        Events of the storage PE.
    pe_o : Out(stream.Signature(flit_layout(cfg))).array(pes)
    pe_i : In(stream.Signature(result_layout(cfg))).array(pes)
    port_o : Out(stream.Signature(result_layout(cfg))).array(ports)
    stray : Out(1)
        Some flit's destination does not exist, or not in its port's section.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        flit, result = stream.Signature(flit_layout(cfg)), stream.Signature(result_layout(cfg))
        super().__init__({
            "port_i": In(flit).array(cfg.ports),
            "pe_o": Out(flit).array(cfg.pes),
            "pe_i": In(result).array(cfg.pes),
            "port_o": Out(result).array(cfg.ports),
            "stray": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        nodes = [(row, col) for row in range(cfg.mesh_rows) for col in range(cfg.mesh_cols)]
        events, results = {}, {}
        for row, col in nodes:
            events[row, col], results[row, col] = Shared(EventRouter, cfg), Shared(ResultRouter,
                                                                                   cfg)
            m.submodules[f"event_router_{row}_{col}"] = events[row, col]
            m.submodules[f"result_router_{row}_{col}"] = results[row, col]
        for at in nodes:
            self._behind(m, events[at].behind, *at)
            self._events(m, events, *at)
            self._results(m, results, *at)
        m.d.comb += self.stray.eq(Cat(router.stray for router in events.values()).any())
        return m

    def _behind(self, m, behind, row, col):
        """The constants of an event router."""
        cfg = self.cfg
        _, first, end = section(cfg, row)
        east = [(r, c) for r in range(first, end) for c in range(col + 1, cfg.mesh_cols)]
        south = [(r, col) for r in range(row + 1, end)]
        own = [(row, col)] if row or col else []        # node 0 is no PE
        for branch, nodes in ((Branch.EAST, east if row == first else []),
                              (Branch.SOUTH, south), (Branch.CORE, own)):
            m.d.comb += behind[branch].eq(sum(1 << r * cfg.mesh_cols + c for r, c in nodes))

    def _events(self, m, routers, row, col):
        """A router's input, and the way into its PE."""
        port, first, _ = section(self.cfg, row)
        router = routers[row, col]
        if row > first:
            source = routers[row - 1, col].o[Branch.SOUTH]
        elif col:
            source = routers[row, col - 1].o[Branch.EAST]
        else:
            source = wiring.flipped(self.port_i[port])
        wiring.connect(m, source, router.i)
        node = row * self.cfg.mesh_cols + col
        if node:
            wiring.connect(m, router.o[Branch.CORE], wiring.flipped(self.pe_o[node - 1]))

    def _results(self, m, routers, row, col):
        """A router's output, and the way out of its PE."""
        port, first, _ = section(self.cfg, row)
        router = routers[row, col]
        if col:
            target = routers[row, col - 1].i[Branch.EAST]
        elif row > first:
            target = routers[row - 1, col].i[Branch.SOUTH]
        else:
            target = wiring.flipped(self.port_o[port])
        wiring.connect(m, router.o, target)
        node = row * self.cfg.mesh_cols + col
        if node:
            wiring.connect(m, wiring.flipped(self.pe_i[node - 1]), router.i[Branch.CORE])
