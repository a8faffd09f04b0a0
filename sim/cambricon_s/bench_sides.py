"""Sides: the state after every event, and that other events leave it."""

import cocotb
from cocotb.triggers import RisingEdge

from hw.cambricon_s.layouts import pair_layout
from hw.cambricon_s.sides import State
from sim.common.bench import rng, start

EVENTS = {"fill": {State.EMPTY, State.FILLING}, "filled": {State.FILLING, State.CLOSING},
          "use": {State.FULL}, "used": {State.FULL, State.LEAVING}}


def after(state, event, ends):
    if event == "fill":
        return State.CLOSING if ends else State.FILLING
    if not ends:
        return state
    return {"filled": State.FULL, "use": State.LEAVING, "used": State.EMPTY}[event]


@cocotb.test()
async def walks(dut):
    rand, layout = rng(), pair_layout()
    await start(dut)
    states = [State.EMPTY, State.EMPTY]
    seen = set()
    for _ in range(300):
        side, ends = rand.randint(0, 1), rand.randint(0, 1)
        event = rand.choice([e for e, of in EVENTS.items() if states[side] in of] or ["none"])
        if event == "none":
            continue
        for name in EVENTS:
            getattr(dut, name).value = layout.const(
                {"valid": name == event, "side": side, "ends": ends}).as_bits()
        dut.clear.value = clear = rand.random() < 0.02
        await RisingEdge(dut.clk)
        states[side] = after(states[side], event, ends)
        if clear:
            states = [State.EMPTY, State.EMPTY]
        for name in EVENTS:
            getattr(dut, name).value = 0
        dut.clear.value = 0
        await RisingEdge(dut.clk)
        for n, state in enumerate(states):
            assert int(getattr(dut, f"state__{n}").value) == state.value
        seen |= set(states)
    assert seen == set(State)
