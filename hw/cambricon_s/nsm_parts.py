# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: what the neuron selector is made of.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree


def steps_of(size):
    """Steps of a log-shifter over `size` (a power of two) places."""
    return size.bit_length() - 1


def counts_layout(cfg):
    """Of a granule: which neurons are chosen (``there``); how many are ``connected`` and ``chosen``
    in all, and before each."""
    count, each = range(cfg.tn + 1), data.ArrayLayout(range(cfg.tn + 1), cfg.tn)
    return data.StructLayout({"there": cfg.tn, "connected": count, "chosen": count,
                              "connected_before": each, "chosen_before": each})


class Counts(wiring.Component):
    """Flags and prefix sums of a granule; combinational.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    neurons : In(granule_bits), index, there : In(tn), dense, dynamic : In(1)
    o : Out(counts_layout(cfg))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({"neurons": In(cfg.granule_bits), "index": In(cfg.tn),
                          "there": In(cfg.tn), "dense": In(1), "dynamic": In(1),
                          "o": Out(counts_layout(cfg))})

    def elaborate(self, platform):
        m = Module()
        tn = self.cfg.tn
        connected, chosen = Signal(tn), Signal(tn)
        nonzero = Cat(self.neurons.word_select(n, self.cfg.data_bits).any() for n in range(tn))
        m.d.comb += [
            connected.eq(self.there & (self.index | self.dense.replicate(tn))),
            chosen.eq(connected & (nonzero | (~self.dynamic).replicate(tn))),
            self.o.there.eq(chosen),
        ]
        for name, bits in (("connected", connected), ("chosen", chosen)):
            sums = prefix(m, bits, name)
            m.d.comb += [self.o[name].eq(sums[-1]),
                         *(self.o[f"{name}_before"][n].eq(sums[n]) for n in range(tn))]
        return m


class Places(wiring.Component):
    """Each neuron's target, and how far it is to move down; combinational.

    Parameters
    ----------
    cfg : CambriconSConfig

    Members
    -------
    counts : In(counts_layout(cfg))
    base : In(target_bits), before : In
        Synapses, and chosen neurons of the window, before the granule.
    first : In
        The number of its first neuron.
    target : Out(target_bits).array(tn), down : Out(log2 window).array(tn)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "counts": In(counts_layout(cfg)), "base": In(cfg.target_bits),
            "before": In(range(cfg.window + 1)), "first": In(range(max(2, cfg.window))),
            "target": Out(cfg.target_bits).array(cfg.tn),
            "down": Out(max(1, steps_of(cfg.window))).array(cfg.tn)})

    def elaborate(self, platform):
        m = Module()
        lead = Signal(signed(len(self.before) + 1))     # chosen ones are at most as many
        m.d.comb += lead.eq(self.first - self.before)
        for n in range(self.cfg.tn):
            m.d.comb += [self.target[n].eq(self.base + self.counts.connected_before[n]),
                         self.down[n].eq(lead + n - self.counts.chosen_before[n])]
        return m


class Moved(wiring.Component):
    """A bit of every neuron, some steps down; combinational.

    Parameters
    ----------
    size : int
    steps : tuple of int
        Down by 2^step.

    Members
    -------
    i, o : size bits
    take : In(size).array(len(steps))
        Where, in each step, what lies above comes down.
    """

    def __init__(self, size, steps):
        self.size, self.steps = size, steps
        super().__init__({"i": In(size), "take": In(size).array(len(steps)), "o": Out(size)})

    def elaborate(self, platform):
        m = Module()
        plane = self.i
        for step, take in zip(self.steps, self.take, strict=True):
            moved = Signal(self.size, name=f"down_{step}")
            m.d.comb += moved.eq((plane & ~take) | ((plane >> (1 << step)) & take))
            plane = moved
        m.d.comb += self.o.eq(plane)
        return m


class Raised(wiring.Component):
    """A bit of every neuron, some steps up, all alike; combinational.

    Parameters
    ----------
    size : int
    steps : tuple of int
        Up by 2^step.

    Members
    -------
    i, o : size bits
    up : In(1).array(len(steps))
    """

    def __init__(self, size, steps):
        self.size, self.steps = size, steps
        super().__init__({"i": In(size), "up": In(1).array(len(steps)), "o": Out(size)})

    def elaborate(self, platform):
        m = Module()
        plane = self.i
        for step, up in zip(self.steps, self.up, strict=True):
            raised = Signal(self.size, name=f"up_{step}")
            m.d.comb += raised.eq(Mux(up, plane << (1 << step), plane))
            plane = raised
        m.d.comb += self.o.eq(plane)
        return m


class Rows(wiring.Component):
    """A bit of every neuron in the last stage: a row of `tn` per cycle, and those left over.

    Parameters
    ----------
    size, tn : int

    Members
    -------
    i : In(size)
        Taken with ``load``.
    row : Out(tn)
        The lanes ``over`` are those left over, the others the lowest of what is held.
    goes : In(1)
        The row leaves; ``done``: it is the last full one, what follows it is left over.
    keep : In(1)
        There is no full row: the row is left over.
    """

    def __init__(self, size, tn):
        self.size, self.tn = size, tn
        super().__init__({"i": In(size), "load": In(1), "over": In(tn), "goes": In(1),
                          "done": In(1), "keep": In(1), "row": Out(tn)})

    def elaborate(self, platform):
        m = Module()
        held, left = Signal(self.size, reset_less=True), Signal(self.tn, reset_less=True)
        m.d.comb += self.row.eq((left & self.over) | (held & ~self.over))
        with m.If(self.goes):
            m.d.sync += held.eq(held >> self.tn)
            with m.If(self.done):
                m.d.sync += left.eq(held >> self.tn)
        with m.Elif(self.keep):
            m.d.sync += left.eq(self.row)
        with m.If(self.load):
            m.d.sync += held.eq(self.i)
        return m


def prefix(m, values, name):
    """Sums of the values before each, and of all: one more than there are."""
    # Sklansky: log2 levels, so that the last sum is no later than a tree's.
    sums = [Value.cast(v) for v in values]
    span = 1
    while span < len(sums):
        for block in range(span, len(sums), 2 * span):
            for n in range(block, min(block + span, len(sums))):
                out = Signal(range((1 << len(Value.cast(values[0]))) * (n + 1)),
                             name=f"{name}_{span}_{n}")
                m.d.comb += out.eq(adder_tree([sums[n], sums[block - 1]]))
                sums[n] = out
        span *= 2
    return [Const(0, 1), *sums]
