"""What is proven of each block of hw/common beyond the stream contract; used with ``prove``.

Each function takes the module of the proof and the block. Invariants look at the block's registers
and tie them to the outside counts, which is what closes the induction.
"""
from amaranth.hdl import Assert, Assume, Cat, Const, Cover, Mux, Signal, Value

from sim.common.formal import Scoreboard, fires

__all__ = ["arbiter", "crossbar", "fifo", "fork", "join", "lite_regs", "register"]


def ones(bits):
    """How many bits are set."""
    return sum(bits, Const(0))


def fifo(m, block):
    """No loss, no duplication, no reordering; ready and valid follow from the level alone."""
    bits = len(block.level) + 1
    board = Scoreboard(m, fires(block.i), block.i.payload, fires(block.o), block.o.payload, bits)
    m.d.comb += [
        Assert(board.inside == block.level, "the level is not the words inside"),
        Assert(block.level <= block.depth, "more words than rows"),
        Assert(block.i.ready == (block.level < block.depth), "ready differs from not full"),
        Assert(block.o.valid == (block.level > 0), "valid differs from not empty"),
        Cover(block.level == block.depth, "full"),
    ]
    stored = block.o.payload
    if block.depth > 1:
        row = Signal(range(2 * block.depth + 1))
        ahead = block.head + board.position
        m.d.comb += row.eq(Mux(ahead >= block.depth, ahead - block.depth, ahead))
        end = block.head + block.level
        m.d.comb += [
            Assert(block.head < block.depth, "head is no row"),
            Assert(block.tail == Mux(end >= block.depth, end - block.depth, end), "tail is off"),
        ]
        extra = block.storage.read_port(domain="comb")
        m.d.comb += extra.addr.eq(row)
        stored = extra.data
    with m.If(board.present):
        m.d.comb += Assert(stored == board.followed, "the followed word is not in its row")


def register(m, block):
    """No loss, no duplication, no reordering; at most two words inside."""
    board = Scoreboard(m, fires(block.i), block.i.payload, fires(block.o), block.o.payload, 3)
    m.d.comb += [
        Assert(board.inside == block.o.valid + block.spare_valid, "not the words inside"),
        Assert(block.o.valid | ~block.spare_valid, "a spare word without one before it"),
        Cover(block.spare_valid, "both places are taken"),
    ]
    with m.If(board.present):
        stored = Mux(board.position == 0, block.o.payload, block.spare)
        m.d.comb += Assert(stored == board.followed, "the followed word is not in its place")


def fork(m, block):
    """Every output has had every word before the present one, and at most once the present one."""
    entered = Signal(2)
    with m.If(fires(block.i)):
        m.d.sync += entered.eq(entered + 1)
    m.d.comb += Assert(~block.done.all(), "a word that all have is still there")
    with m.If(block.done.any()):
        m.d.comb += Assert(block.i.valid, "copies of a word that is not there")
    for k, o in enumerate(block.o):
        copies = Signal(2, name=f"copies_{k}")
        with m.If(fires(o)):
            m.d.sync += copies.eq(copies + 1)
            m.d.comb += Assert(o.payload == block.i.payload, "a copy differs from the word")
            m.d.comb += Assert(block.i.valid, "a copy of no word")
        m.d.comb += [
            Assert((copies - entered)[:2] == block.done[k], f"output {k} is not where it says"),
            Assert(o.valid == (block.i.valid & ~block.done[k]), f"output {k} waits for another"),
        ]
        if block.n > 1:
            m.d.comb += Cover(block.done == 1 << k, f"output {k} is first")


def join(m, block):
    """Inputs and output pass their words in the same cycle, unchanged, and nothing waits longer."""
    together = Cat(i.valid for i in block.inputs).all()
    m.d.comb += Assert(block.o.valid == together, "valid differs from all inputs' valid")
    for k, i in enumerate(block.inputs):
        m.d.comb += Assert(fires(i) == fires(block.o), f"input {k} is not taken with the others")
        with m.If(block.o.valid):
            m.d.comb += Assert(Value.cast(block.o.p[k]) == i.payload, f"field {k} is off")


def _take_turns(m, block, name):
    """The arbiter's turn, and the wait that it bounds; ``passed`` counts others' words."""
    n, low = block.n, ~block.turn
    first = Signal(range(n), name=f"{name}_first")
    m.d.comb += [
        Assert((low & (low + 1))[:n] == 0, f"{name}: the turn is no run of inputs"),
        first.eq(Mux(block.turn == 0, 0, ones(low))),
    ]
    for k, i in enumerate(block.i):
        passed = Signal(range(n + 1), name=f"{name}_passed_{k}")
        with m.If(~i.valid | fires(i)):
            m.d.sync += passed.eq(0)
        with m.Elif(fires(block.o)):
            m.d.sync += passed.eq(passed + 1)
        ahead = Mux(first <= k, k - first, k + n - first)
        m.d.comb += Assert(passed + ahead < n, f"{name}: input {k} waits for too many words")
        m.d.comb += Cover(passed == n - 1, f"{name}: input {k} waits as long as it may")


def arbiter(m, block):
    """One word in for each word out, in the same cycle, unchanged; nobody waits for ever."""
    taken = Cat(fires(i) for i in block.i)
    m.d.comb += [
        Assert(ones(taken) == fires(block.o), "words in differ from words out"),
        Assert(block.o.valid == Cat(i.valid for i in block.i).any(), "valid differs from any"),
        Assert(ones(block.grant) == block.o.valid, "not one grant"),
    ]
    for k, i in enumerate(block.i):
        m.d.comb += Assert(fires(i) == (fires(block.o) & block.grant[k]), f"input {k}: grant")
        with m.If(block.grant[k]):
            m.d.comb += Assert(i.valid & (block.o.payload == i.payload), f"input {k}: not its word")
    _take_turns(m, block, "arbiter")


def crossbar(m, block):
    """Each output's words are words of inputs that name it, in the same cycle, each once."""
    for k, i in enumerate(block.i):
        m.d.comb += Assume(~i.valid | (i.p.dest < block.outputs))
        ways = Cat(fires(i) & (i.p.dest == j) for j in range(block.outputs))
        m.d.comb += Assert(ones(ways) == fires(i), f"input {k}: not one way")
    for j, o in enumerate(block.o):
        wants = Cat(i.valid & (i.p.dest == j) for i in block.i)
        taken = Cat(fires(i) & (i.p.dest == j) for i in block.i)
        m.d.comb += [
            Assert(o.valid == wants.any(), f"output {j} does not offer what is there"),
            Assert(ones(taken) == fires(o), f"output {j}: words in differ from words out"),
        ]
        for k, i in enumerate(block.i):
            with m.If(fires(o) & taken[k]):
                m.d.comb += Assert(o.payload == i.p.data, f"output {j}: not input {k}'s word")
        _take_turns(m, block.arbiters[j], f"output_{j}")


def _change(m, value, name):
    """The value one cycle ago, and whether that cycle was no reset."""
    before, known = Signal.like(value, name=f"{name}_before"), Signal(name=f"{name}_known")
    m.d.sync += [before.eq(value), known.eq(1)]
    return before, known


def lite_regs(m, block):
    """One answer per access, one access at a time; a register changes only by a write to it."""
    aw, w, b, ar, r = (getattr(block.bus, name) for name in ("aw", "w", "b", "ar", "r"))
    pending, reading = Signal(), Signal()
    with m.If(fires(aw)):
        m.d.sync += pending.eq(1)
    with m.Elif(fires(b)):
        m.d.sync += pending.eq(0)
    with m.If(fires(ar)):
        m.d.sync += reading.eq(1)
    with m.Elif(fires(r)):
        m.d.sync += reading.eq(0)
    m.d.comb += [
        Assert(b.valid == pending, "an answer without its write, or none"),
        Assert(r.valid == reading, "data without their read, or none"),
        Assert(fires(aw) == fires(w), "an address without its data"),
        Assert(fires(aw) == (aw.valid & w.valid & ~pending), "a write waits for nothing"),
        Assert(fires(ar) == (ar.valid & ~reading), "a read waits for nothing"),
    ]
    for register in block.register_map:
        if register.access in ("rw", "pulse"):
            value = getattr(block, register.member)
            before, known = _change(m, value, register.member)
            written = Signal(name=f"{register.member}_written")
            free = ~block.lock if register.lockable else Const(1)
            m.d.sync += written.eq(fires(aw) & (aw.payload.addr == register.offset) & free)
            rest = before if register.access == "rw" else 0
            with m.If(known & ~written):
                m.d.comb += Assert(value == rest, f"{register.name} changed without a write")
            m.d.comb += Cover(written & (value != before), f"{register.name} is written")
