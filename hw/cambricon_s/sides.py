# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V: ping-pong buffers, named by instructions.
from amaranth import *
from amaranth.lib import enum, wiring
from amaranth.lib.wiring import In, Out

from .layouts import pair_layout


class State(enum.Enum, shape=3):
    """Of a side; seen in the cycle after the event that leads to it."""

    EMPTY = 0
    FILLING = 1
    CLOSING = 2     # its last filler is under way
    FULL = 3
    LEAVING = 4     # its last user is


class Sides(wiring.Component):
    """The state of both sides of a buffer.

    A unit *fills* a side: it takes an EMPTY or a FILLING one, which is CLOSING if it will publish
    it, and FULL when that is done. A unit *uses* a FULL side, which is LEAVING if it will release
    it, and EMPTY when that is done. The units judge whether they may take one; events of one cycle
    concern different sides, or leave the same one as it is.

    Members
    -------
    clear : In(1)
        Both are EMPTY.
    fill, use : In(pair_layout())
        A unit takes a side; ``ends``: it will publish, release it.
    filled, used : In(pair_layout())
        It is done; without ``ends`` nothing changes.
    state : Out(State).array(2)
    """

    def __init__(self):
        event = In(pair_layout())
        super().__init__({"clear": In(1), "fill": event, "filled": event, "use": event,
                          "used": event, "state": Out(State).array(2)})

    def elaborate(self, platform):
        m = Module()
        for side, state in enumerate(self.state):
            with m.If(self.fill.valid & (self.fill.side == side)):
                m.d.sync += state.eq(Mux(self.fill.ends, State.CLOSING, State.FILLING))
            with m.If(self.filled.valid & self.filled.ends & (self.filled.side == side)):
                m.d.sync += state.eq(State.FULL)
            with m.If(self.use.valid & self.use.ends & (self.use.side == side)):
                m.d.sync += state.eq(State.LEAVING)
            with m.If(self.used.valid & self.used.ends & (self.used.side == side)):
                m.d.sync += state.eq(State.EMPTY)
        with m.If(self.clear):
            m.d.sync += [state.eq(State.EMPTY) for state in self.state]
        return m


def can_fill(states, side, acquire):
    """Whether the side may be filled now, and whether asking for it is a mistake."""
    state = Mux(side, states[1].as_value(), states[0].as_value())
    filling = state == State.FILLING.value
    return Mux(acquire, state == State.EMPTY.value, filling), ~acquire & ~filling


def is_full(states, side):
    return Mux(side, states[1].as_value(), states[0].as_value()) == State.FULL.value
