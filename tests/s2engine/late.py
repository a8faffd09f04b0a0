"""What S² Engine must not do: hand a token on when it is consumed, not before it is compared.

`LateDS` for golden's stepped array and `LateFlow` for the RTL keep a consumed token in the register
until the neighbour has room for it. Arrays of them hang; see ``hw/s2engine/deadlock.md``.
"""
from amaranth import Module, Signal
from amaranth.lib import wiring

from golden.s2engine.ds import DS
from golden.s2engine.pe import PE
from hw.s2engine.ds import Flow


class LateDS(DS):
    """`valid`: the register holds a token that is not consumed; `spent`: one that is."""

    def reset(self):
        super().reset()
        self.spent = {"w": None, "f": None}
        self.held = {"w": None, "f": None}

    def _leaving(self):
        """Per flow the token that is or gets consumed, so that it can be handed on."""
        step = self.present()
        return {name: self.spent[name] or (self.held[name] if step and getattr(step, name)
                                           else None) for name in ("w", "f")}

    def look(self, offered, ready):
        taken, words, signals = super().look(offered, ready)
        leaving = self._leaving()
        return taken, {**words, "w_o": leaving["w"], "f_o": leaving["f"]}, signals

    def step(self, offered, ready):
        leaving, step = self._leaving(), self.present()
        arrived = {"w": offered["w_i"], "f": offered["f_i"], "pair": step and step.entry}
        space = {name: self.room(name) for name in self.fifos}
        for name, token in leaving.items():
            gone = token is not None and ready[f"{name}_o"]
            empty = gone or (self.held[name] is None and self.spent[name] is None)
            if token is not None:
                self.spent[name], self.held[name] = (None if gone else token), None
            if empty and self.fifos[name]:
                self.held[name] = self.fifos[name].popleft()
            self.valid[name] = self.held[name] is not None
        if self.fifos["pair"] and ready["pair"]:
            self.fifos["pair"].popleft()
        for name, word in arrived.items():
            if word is not None and space[name]:
                self.fifos[name].append(word)
        if step:
            self.steps.popleft()


class LatePE(PE):
    """A PE with it."""

    def __init__(self, w_tokens, f_tokens, config):
        super().__init__(w_tokens, f_tokens, config)
        self.ds = LateDS(w_tokens, f_tokens, (config.w_depth, config.f_depth, config.wf_depth))


class LateFlow(Flow):
    """The same in RTL, in the place of `Flow`."""

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = self.fifo
        wiring.connect(m, wiring.flipped(self.i), fifo.i)
        held, spent, leave = Signal(), Signal(), Signal()
        m.d.comb += [
            self.valid.eq(held & ~spent),
            self.o.valid.eq(held & (spent | self.consume)), self.o.payload.eq(self.token),
            leave.eq(self.o.valid & self.o.ready),
            fifo.o.ready.eq(~held | leave),
        ]
        m.d.sync += spent.eq(self.o.valid & ~leave)
        with m.If(fifo.o.ready):
            m.d.sync += held.eq(fifo.o.valid)
            with m.If(fifo.o.valid):
                m.d.sync += self.token.eq(fifo.o.payload)
        if "tag" in self.shape.members:
            m.d.comb += self.low.eq(self.token.tag & ~self.high)
            with m.If(fifo.o.valid & fifo.o.ready):
                m.d.sync += self.high.eq(fifo.o.p.tag & self.low)
        return m
