# Ref: Yu et al., "Multiply-and-Fire", Section 5.2.1: router interface.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .fields import CONFIG_BITS, WEIGHT_POINTER, Kind, payload_bits
from .layouts import (
    bias_layout,
    config_layout,
    event_layout,
    fired_layout,
    flit_layout,
    input_layout,
    pass_layout,
    pointer_layout,
    result_layout,
    weight_layout,
)


class RouterInterface(wiring.Component):
    """The gateway into a PE: events to the core, weights, biases and registers to their places.

    A flit per cycle. CONFIG and WEIGHT flits wait until the core is idle and no drain is still to
    begin; EVENT and END flits, in a pass that ``waits``, until the drain before is done. Fired
    events leave with the PE's node as their source.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    node : In
        Constant: the PE's node.
    i : In(stream.Signature(flit_layout(cfg)))
    o : Out(stream.Signature(result_layout(cfg)))
    setting : Out(pass_layout(cfg))
    events : Out(stream.Signature(input_layout(cfg)))
    weight, bias : Out
        A word of weights, a bias, to be written in this cycle; with weight sparsity also
        ``pointer``.
    fired : In(stream.Signature(fired_layout(cfg)))
    idle, draining : In(1)
        The core has nothing to do; a drain is going on or still to begin.
    pending : In(1)
        A drain is still to begin.
    bad : Out(1)
        The flit that was taken in this cycle is of no kind, or a CONFIG to nowhere.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "node": In(range(cfg.nodes)),
            "i": In(stream.Signature(flit_layout(cfg))),
            "o": Out(stream.Signature(result_layout(cfg))),
            "setting": Out(pass_layout(cfg)),
            "events": Out(stream.Signature(input_layout(cfg))),
            "weight": Out(data.StructLayout({"valid": 1, "weight": weight_layout(cfg)})),
            "bias": Out(data.StructLayout({"valid": 1, "bias": bias_layout(cfg)})),
            **({"pointer": Out(data.StructLayout({"valid": 1, "pointer": pointer_layout(cfg)}))}
               if cfg.weight_sparse else {}),
            "fired": In(stream.Signature(fired_layout(cfg))),
            "idle": In(1),
            "draining": In(1),
            "pending": In(1),
            "bad": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, flit = self.cfg, self.i.p
        m.d.comb += [
            self.events.p.event.eq(event_layout(cfg)(flit.payload[:event_layout(cfg).size])),
            self.events.p.end.eq(flit.kind == Kind.END),
            self.bias.bias.address.eq(config_layout()(flit.payload[:48]).address),
            self.bias.bias.value.eq(config_layout()(flit.payload[:48]).value.as_signed()),
        ]
        quiet = Signal()
        m.d.comb += quiet.eq(self.idle & ~self.pending)
        taken = self.i.valid & self.i.ready
        with m.Switch(flit.kind):
            with m.Case(Kind.EVENT, Kind.END):
                go = ~(self.setting.waits & self.draining)
                m.d.comb += [self.events.valid.eq(self.i.valid & go),
                             self.i.ready.eq(self.events.ready & go)]
            with m.Case(Kind.CONFIG):
                m.d.comb += self.i.ready.eq(quiet)
                self._config(m, taken, config_layout()(flit.payload[:48]))
            with m.Case(Kind.WEIGHT):
                m.d.comb += self.i.ready.eq(quiet)
            with m.Case(Kind.BIAS):
                m.d.comb += [self.i.ready.eq(~self.pending), self.bias.valid.eq(taken)]
            if cfg.weight_sparse:
                with m.Case(Kind.POINTER):
                    m.d.comb += self.i.ready.eq(quiet)
                    self._pointer(m, taken, config_layout()(flit.payload[:48]))
            with m.Default():
                m.d.comb += [self.i.ready.eq(1), self.bad.eq(self.i.valid)]
        self._weights(m, taken & (flit.kind == Kind.WEIGHT),
                      taken & (flit.kind == Kind.CONFIG))
        m.d.comb += [
            self.o.valid.eq(self.fired.valid), self.fired.ready.eq(self.o.ready),
            self.o.p.source.eq(self.node), self.o.p.end.eq(self.fired.p.end),
            self.o.p.value.eq(self.fired.p.value), self.o.p.channel.eq(self.fired.p.channel),
            self.o.p.y.eq(self.fired.p.y), self.o.p.x.eq(self.fired.p.x),
        ]
        return m

    def _config(self, m, taken, config):
        """Registers of the pass, 32 bits at a time."""
        setting = Value.cast(self.setting)
        words = range(0, len(setting), CONFIG_BITS)
        for n, at in enumerate(words):
            with m.If(taken & (config.address == n)):
                m.d.sync += setting[at:at + CONFIG_BITS].eq(config.value)
        m.d.comb += self.bad.eq(taken & (config.address >= len(words))
                                & (config.address != WEIGHT_POINTER))

    def _pointer(self, m, taken, config):
        pointer = self.pointer.pointer
        m.d.comb += [self.pointer.valid.eq(taken), pointer.address.eq(config.address),
                     pointer.start.eq(config.value[:16]), pointer.count.eq(config.value[16:])]

    def _weights(self, m, third, config):
        """Three flits make a word; words go to ascending addresses."""
        cfg, bits = self.cfg, payload_bits(self.cfg)
        held, count = Signal(2 * bits), Signal(range(3))
        pointer = Signal(cfg.weight_bits)
        place = config_layout()(self.i.p.payload[:48])
        m.d.comb += [
            self.weight.valid.eq(third & (count == 2)), self.weight.weight.address.eq(pointer),
            self.weight.weight.word.eq(Cat(held, self.i.p.payload)),
        ]
        with m.If(third):
            m.d.sync += [held.eq(Cat(held[bits:], self.i.p.payload)),
                         count.eq(Mux(count == 2, 0, count + 1))]
            with m.If(count == 2):
                m.d.sync += pointer.eq(pointer + 1)
        with m.If(config & (place.address == WEIGHT_POINTER)):
            m.d.sync += [pointer.eq(place.value), count.eq(0)]
