# Ref: Yu et al., "Multiply-and-Fire", Section 5.2, Fig. 5: processing element.
from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .activation import Activation
from .core import Core
from .layouts import drain_layout, flit_layout, result_layout
from .router_interface import RouterInterface

SETTLE = 8      # cycles from the last vector, or fired event, to the last register that it moves


class PE(wiring.Component):
    """Processing element: events in, fired events out.

    While nothing is inside, the clock of core and activation module is switched off (an enable, for
    a gate to be made of); a flit wakes them in the cycle in which it is offered.

    Flits set up a pass (registers, weights, biases), then come its events and END; a pass that
    fires drains its sums, beside the next pass's flits as far as those need nothing of it.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    node : In
        Constant: where the PE is on the mesh.
    i : In(stream.Signature(flit_layout(cfg)))
    o : Out(stream.Signature(result_layout(cfg)))
    busy : Out(1)
        The MACs took a vector in this cycle.
    macs : Out(range(lanes + 1))
        Multiplications that began in the cycle before.
    draining : Out(1)
        A drain is going on or still to begin.
    idle : Out(1)
        No flit waits, no event is inside, nothing drains.
    clear : In(1)
        All sums become 0, which takes a cycle for each entry; of `MACCluster`.
    on : Out(1)
        The clock of core and activation module is on.
    bad_flit, bad_event : Out(1)
        A flit that a PE cannot take; an event out of the pass's range.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "node": In(range(cfg.nodes)),
            "i": In(stream.Signature(flit_layout(cfg))),
            "o": Out(stream.Signature(result_layout(cfg))),
            "busy": Out(1),
            "macs": Out(range(cfg.lanes + 1)),
            "draining": Out(1),
            "idle": Out(1),
            "clear": In(1),
            "on": Out(1),
            "bad_flit": Out(1),
            "bad_event": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        m.submodules.interface = interface = RouterInterface(cfg)
        core, activation = Core(cfg), Activation(cfg)
        m.submodules.core = EnableInserter(self.on)(core)
        m.submodules.activation = EnableInserter(self.on)(activation)
        wiring.connect(m, wiring.flipped(self.i), interface.i)
        wiring.connect(m, interface.o, wiring.flipped(self.o))
        wiring.connect(m, interface.events, core.i)
        wiring.connect(m, activation.o, interface.fired)
        wiring.connect(m, activation.drain, core.drain)

        awake, before = Signal(), Signal(SETTLE)
        m.d.comb += [awake.eq(self.clear | core.clearing | ~self.idle),
                     core.clear.eq(self.clear), self.on.eq(awake | before.any())]
        m.d.sync += before.eq(Cat(awake, before))
        ended, pending = Signal(), Signal()         # the end was taken; its drain is to begin
        held = Signal(drain_layout(cfg))            # the next pass may be set up meanwhile
        m.d.comb += [
            interface.node.eq(self.node), self.bad_flit.eq(interface.bad),
            self.bad_event.eq(core.bad), self.busy.eq(core.busy),
            self.macs.eq(core.macs), core.load.eq(interface.setting.load),
            core.dispatch.eq(interface.setting.dispatch), core.weight.eq(interface.weight),
            ended.eq(core.end & interface.setting.fires),
            interface.idle.eq(core.idle), interface.pending.eq(pending | ended),
            self.draining.eq(pending | ended | ~activation.done),
            interface.draining.eq(self.draining),
            self.idle.eq(core.idle & ~self.draining & ~self.i.valid),
            activation.start.eq(pending & activation.done),
            activation.setting.eq(Mux(activation.start, interface.setting.drain, held)),
            activation.bias.eq(interface.bias), activation.row_valid.eq(core.row_valid),
        ]
        if cfg.weight_sparse:
            m.d.comb += core.pointer.eq(interface.pointer)
        m.d.comb += [activation.row[n].eq(core.row[n]) for n in range(cfg.lanes)]
        with m.If(ended):
            m.d.sync += pending.eq(1)
        with m.Elif(activation.start):
            m.d.sync += [pending.eq(0), held.eq(interface.setting.drain)]
        return m
