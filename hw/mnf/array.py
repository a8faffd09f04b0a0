# Ref: Yu et al., "Multiply-and-Fire", Section 5.1: the PEs on their network.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .events import EventGenerator
from .fields import Kind
from .layouts import flit_layout, generator_layout, pixel_layout, result_layout
from .mesh import Mesh
from .pe import PE


class Array(wiring.Component):
    """All PEs, both networks, and the event generator of each port: pixels in, fired events out.

    What is around it is storage: it holds the maps, sends what sets a pass up, and END after the
    last pixel of a port.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting : In(generator_layout(cfg)).array(ports)
        Held while there are pixels.
    pixel : In(stream.Signature(pixel_layout(cfg))).array(ports)
    flit : In(stream.Signature(flit_layout(cfg))).array(ports)
        Taken when the port's generator has nothing left, so behind all events of pixels before.
    result : Out(stream.Signature(result_layout(cfg))).array(ports)
    clear : In(1)
        Of all PEs.
    busy, draining, idle : Out(pes)
        Of the PEs: their MACs took a vector in this cycle; they drain, or will; nothing is inside.
    macs : Out(range(lanes + 1)).array(pes)
        Multiplications that began in the cycle before.
    events : Out(ports)
        Which ports put an event on the network in this cycle.
    bad_flit, bad_event : Out(pes)
        Which PEs got a flit that they cannot take, an event out of the pass's range.
    stray : Out(1)
        A flit to a PE that does not exist.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "setting": In(generator_layout(cfg)).array(cfg.ports),
            "pixel": In(stream.Signature(pixel_layout(cfg))).array(cfg.ports),
            "flit": In(stream.Signature(flit_layout(cfg))).array(cfg.ports),
            "result": Out(stream.Signature(result_layout(cfg))).array(cfg.ports),
            "clear": In(1),
            "busy": Out(cfg.pes), "draining": Out(cfg.pes), "idle": Out(cfg.pes),
            "macs": Out(range(cfg.lanes + 1)).array(cfg.pes),
            "events": Out(cfg.ports),
            "bad_flit": Out(cfg.pes), "bad_event": Out(cfg.pes),
            "stray": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.mesh = mesh = Mesh(cfg)
        m.d.comb += self.stray.eq(mesh.stray)
        for n in range(cfg.pes):
            m.submodules[f"pe_{n}"] = pe = Shared(PE, cfg)
            wiring.connect(m, mesh.pe_o[n], pe.i)
            wiring.connect(m, pe.o, mesh.pe_i[n])
            m.d.comb += [pe.node.eq(n + 1), pe.clear.eq(self.clear),
                         self.macs[n].eq(pe.macs),
                         *(getattr(self, name)[n].eq(getattr(pe, name))
                           for name in ("busy", "draining", "idle", "bad_flit", "bad_event"))]
        for n in range(cfg.ports):
            wiring.connect(m, mesh.port_o[n], wiring.flipped(self.result[n]))
            self._port(m, n, mesh.port_i[n])
        return m

    def _port(self, m, n, port):
        """Events of pixels, and flits as they are when there are none."""
        m.submodules[f"generator_{n}"] = generator = Shared(EventGenerator, self.cfg)
        pixel, flit = self.pixel[n], self.flit[n]
        offered, held = Signal(name=f"offered_{n}"), Signal(name=f"held_{n}")
        m.d.comb += [
            # A flit once offered stays, and pixels behind it wait.
            offered.eq(flit.valid & generator.idle & (held | ~pixel.valid)),
            generator.setting.eq(self.setting[n]), generator.i.payload.eq(pixel.payload),
            generator.i.valid.eq(pixel.valid & ~held), pixel.ready.eq(generator.i.ready & ~held),
            generator.o.ready.eq(port.ready), flit.ready.eq(offered & port.ready),
            port.valid.eq(generator.o.valid | offered), port.payload.eq(flit.payload),
            self.events[n].eq(generator.o.valid & port.ready),
        ]
        m.d.sync += held.eq(offered & ~port.ready)
        with m.If(generator.o.valid):
            m.d.comb += [port.p.dest.eq(generator.o.p.dest), port.p.kind.eq(Kind.EVENT),
                         port.p.payload.eq(Value.cast(generator.o.p.event))]
