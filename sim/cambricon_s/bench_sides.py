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
        # An event for each side at most; of those that do not come, sides and ends are anything.
        chosen = {}
        for side in rand.sample(range(2), rand.randint(1, 2)):
            may = [e for e, of in EVENTS.items() if states[side] in of and e not in chosen]
            if may:
                chosen[rand.choice(may)] = side, rand.randint(0, 1)
        for name in EVENTS:
            side, ends = chosen.get(name, (rand.randint(0, 1), rand.randint(0, 1)))
            getattr(dut, name).value = layout.const(
                {"valid": name in chosen, "side": side, "ends": ends}).as_bits()
        dut.clear.value = clear = rand.random() < 0.02
        await RisingEdge(dut.clk)
        for event, (side, ends) in chosen.items():
            states[side] = after(states[side], event, ends)
        if clear:
            states = [State.EMPTY, State.EMPTY]
        for name in EVENTS:
            getattr(dut, name).value = 0
        dut.clear.value = 0
        for _ in range(rand.randint(1, 2)):     # a state that moved in every cycle would come back
            await RisingEdge(dut.clk)
        for n, state in enumerate(states):
            assert int(getattr(dut, f"state__{n}").value) == state.value
        seen |= set(states)
    assert seen == set(State)
