"""DS, MAC, RF and CE keep the stream contract; RF loses and swaps no sum."""
import pytest
from amaranth.hdl import Assert, Assume, Mux, Signal

from hw.common.stationary.layouts import feature_layout
from hw.s2engine.ce import CE
from hw.s2engine.config import S2Config
from hw.s2engine.ds import DS, Flow
from hw.s2engine.mac import MAC
from hw.s2engine.rf import RF
from sim.common.formal import Scoreboard, fires, prove

CONFIGS = {
    "mixed": S2Config(rows=2, cols=2, w_depth=2, f_depth=1, wf_depth=2, group=4, mixed=True),
    "narrow": S2Config(rows=2, cols=2, w_depth=1, f_depth=2, wf_depth=1, group=4, mixed=False),
}


def whole(m, fifo):
    """What a FIFO's registers say of each other: the induction starts from nothing else."""
    end = fifo.head + fifo.level
    m.d.comb += [
        Assert(fifo.level <= fifo.depth, "more words than rows"),
        Assert(fifo.head < fifo.depth, "head is no row"),
        Assert(fifo.tail == Mux(end >= fifo.depth, end - fifo.depth, end), "tail is off"),
    ]


def ds(m, block):
    for fifo in (*(flow.fifo for flow in block.flows), block.wf_fifo):
        whole(m, fifo)


def flow(m, block):
    """Every token that comes in goes on, in order; the register has the one that went on last."""
    board = Scoreboard(m, fires(block.i), block.i.payload, fires(block.o), block.o.payload, 3)
    token = Signal.like(block.token.as_value())
    with m.If(fires(block.o)):
        m.d.sync += token.eq(block.o.payload.as_value())
    with m.If(block.valid):
        m.d.comb += Assert(block.token.as_value() == token, "the register has another token")
    m.d.comb += Assert(board.inside <= block.depth, "more tokens than rows")


def rf(m, block):
    """A sum is given only with room, its own turn comes once per tail."""
    first = Signal()
    m.d.sync += first.eq(block.first)
    started = Signal()
    m.d.sync += started.eq(1)
    m.d.comb += Assume(~started | (block.first == first))
    m.d.comb += Assume(~block.done | block.room)
    owed = Signal(4)        # own sums inside
    own = fires(block.o) & block.o.p.tail
    m.d.sync += owed.eq(owed + block.done - own)
    m.d.comb += Assert(owed <= 3, "more sums than places")
    with m.If(own):
        m.d.comb += Assert(owed != 0, "a sum of its own that was never given")


@pytest.mark.parametrize("name", CONFIGS)
def test_ds(name):
    prove(DS(CONFIGS[name]), f"ds_{name}", properties=ds)


@pytest.mark.parametrize("depth", [1, 2])
def test_flow(depth):
    prove(Flow(feature_layout(CONFIGS["narrow"]), depth), f"flow_{depth}", properties=flow,
          bound=8)


def test_rf():
    prove(RF(S2Config(acc_bits=16, mixed=False)), "rf", properties=rf, bound=8)


def test_mac():
    prove(MAC(CONFIGS["narrow"]), "mac")


def test_ce():
    config = S2Config(group=2, mixed=False)
    prove(CE(config), "ce", properties=lambda m, block: whole(m, block.hold))
