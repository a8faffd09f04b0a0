# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: neuron selector module.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree

from .layouts import chosen_layout, vector_layout, window_layout


def steps_of(size):
    """Steps of a log-shifter over `size` (a power of two) places."""
    return size.bit_length() - 1


def stages_of(steps, per_stage):
    """Registers that so many steps take."""
    return -(-steps // per_stage)


class NSM(wiring.Component):
    """Neuron selector module: of each window the neurons that are connected and not zero.

    They leave in order, Tn at a time, each with its target, the number of its synapse in the
    segment. What is left of a window waits for the next one: only the last vector of a segment may
    have empty lanes (all of them, where the last window adds nothing to lanes left over).

    One window per cycle; one that completes r vectors (at a segment's end: the partial or empty one
    too) takes max(1, r). A window taken in cycle t is in the last stage, its first vector at the
    output, from t + `stages` on. More synapses than ``target_bits`` can say wrap.

    Parameters
    ----------
    cfg : CambriconSConfig
        ``window``, ``tn``, ``data_bits``, ``target_bits``; ``nsm_steps``.

    Members
    -------
    i : In(stream.Signature(window_layout(cfg)))
    o : Out(stream.Signature(vector_layout(cfg)))
    waiting : Out(1)
        A window is in the last stage that completes no vector: "window exhausted".
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.compact_stages = stages_of(steps_of(cfg.window), cfg.nsm_steps)
        self.align_stages = stages_of(steps_of(cfg.tn), cfg.nsm_steps)
        self.stages = 4 + self.compact_stages + self.align_stages
        super().__init__({
            "i": In(stream.Signature(window_layout(cfg))),
            "o": Out(stream.Signature(vector_layout(cfg))),
            "waiting": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        # Each stage loads when it is empty or leaves; `ready[n]` says so.
        valid = Signal(self.stages)
        ready = Signal(self.stages)
        leave = Signal()
        m.d.comb += ready.eq(Cat(~v | r for v, r in zip(valid, Cat(ready[1:], leave),
                                                        strict=True)))
        m.d.comb += self.i.ready.eq(ready[0])
        arrives = Cat(self.i.valid, valid[:-1])
        for n in range(self.stages):
            with m.If(ready[n]):
                m.d.sync += valid[n].eq(arrives[n])

        load = [arrives[n] & ready[n] for n in range(self.stages)]
        flags = self._flags(m, load[0])
        sums = self._sums(m, load[1], flags)
        items, about = self._places(m, load[2], sums)
        stage = 3
        for part in _parts(steps_of(self.cfg.window), self.cfg.nsm_steps):
            items, about = self._compact(m, load[stage], items, about, part)
            stage += 1
        rows = self._widened(items)
        for part in _parts(steps_of(self.cfg.tn), self.cfg.nsm_steps):
            rows, about = self._align(m, load[stage], rows, about, part)
            stage += 1
        m.d.comb += leave.eq(self._emit(m, valid[stage], load[stage], rows, about))
        return m

    def _flags(self, m, load):
        """Connected and chosen, and their counts before each neuron within its granule."""
        cfg, w = self.cfg, self.i.p
        count = range(cfg.tn + 1)
        flags = Signal(data.StructLayout({
            "neurons": data.ArrayLayout(signed(cfg.data_bits), cfg.window),
            "chosen": cfg.window,
            "connected_before": data.ArrayLayout(count, cfg.window),
            "chosen_before": data.ArrayLayout(count, cfg.window),
            "connected_sum": data.ArrayLayout(count, cfg.window_granules),
            "chosen_sum": data.ArrayLayout(count, cfg.window_granules),
            "last": 1,
        }), reset_less=True)
        connected, chosen = Signal(cfg.window), Signal(cfg.window)
        there = Cat(n < w.count for n in range(cfg.window))
        nonzero = Cat(w.neurons[n].any() for n in range(cfg.window))
        m.d.comb += [
            connected.eq(there & (w.index | w.dense.replicate(cfg.window))),
            chosen.eq(connected & (nonzero | (~w.dynamic).replicate(cfg.window))),
        ]
        with m.If(load):
            m.d.sync += [flags.neurons.eq(w.neurons), flags.chosen.eq(chosen),
                         flags.last.eq(w.last)]
            for bits, name in ((connected, "connected"), (chosen, "chosen")):
                for g in range(cfg.window_granules):
                    sums = _prefix(m, bits[g * cfg.tn:(g + 1) * cfg.tn], f"{name}_{g}")
                    m.d.sync += flags[f"{name}_sum"][g].eq(sums[-1])
                    for n, before in enumerate(sums[:-1]):
                        m.d.sync += flags[f"{name}_before"][g * cfg.tn + n].eq(before)
        return flags

    def _sums(self, m, load, flags):
        """Counts before each granule; the running base of targets, and the lanes left over."""
        cfg = self.cfg
        count = range(cfg.window + 1)
        kept = {"neurons": flags.shape()["neurons"].shape, "chosen": cfg.window,
                "connected_before": flags.shape()["connected_before"].shape,
                "chosen_before": flags.shape()["chosen_before"].shape}
        sums = Signal(data.StructLayout({
            **kept,
            "base": data.ArrayLayout(cfg.target_bits, cfg.window_granules),
            "before": data.ArrayLayout(count, cfg.window_granules),
            "about": self._about_layout(),
        }), reset_less=True)
        base, carry = Signal(cfg.target_bits + 1), Signal(cfg.tn.bit_length())
        connected = _prefix(m, list(flags.connected_sum), "connected")
        chosen = _prefix(m, list(flags.chosen_sum), "chosen")
        synapses, total = Signal(cfg.target_bits + 1), Signal(range(cfg.window + cfg.tn))
        m.d.comb += [synapses.eq(base + connected[-1]), total.eq(carry + chosen[-1])]
        lanes = total[:steps_of(cfg.tn)]
        with m.If(load):
            m.d.sync += [sums[name].eq(flags[name]) for name in kept]
            for g in range(cfg.window_granules):
                m.d.sync += [sums.base[g].eq(base + connected[g]), sums.before[g].eq(chosen[g])]
            m.d.sync += [
                sums.about.carry.eq(carry), sums.about.total.eq(total),
                sums.about.last.eq(flags.last), sums.about.synapses.eq(synapses),
                base.eq(Mux(flags.last, 0, synapses)), carry.eq(Mux(flags.last, 0, lanes)),
            ]
        return sums

    def _about_layout(self):
        """``total``: the lanes left over (``carry``) and the window's chosen neurons."""
        cfg = self.cfg
        return data.StructLayout({"carry": cfg.tn.bit_length(), "total": range(cfg.window + cfg.tn),
                                  "last": 1, "synapses": cfg.target_bits + 1})

    def _places(self, m, load, sums):
        """Each neuron with its target and how far it is to move down."""
        cfg = self.cfg
        items = Signal(data.ArrayLayout(data.StructLayout({
            "item": chosen_layout(cfg), "down": max(1, steps_of(cfg.window)), "there": 1,
        }), cfg.window), reset_less=True)
        about = Signal(self._about_layout(), reset_less=True)
        with m.If(load):
            m.d.sync += about.eq(sums.about)
            for n in range(cfg.window):
                g = n // cfg.tn
                m.d.sync += [
                    items[n].item.neuron.eq(sums.neurons[n]),
                    items[n].item.target.eq(sums.base[g] + sums.connected_before[n]),
                    items[n].down.eq(n - (sums.before[g] + sums.chosen_before[n])),
                    items[n].there.eq(sums.chosen[n]),
                ]
        return items, about

    def _compact(self, m, load, items, about, steps):
        """Some steps of the way down, the smallest first: so no two chosen neurons meet."""
        now = items
        for step in steps:
            after = Signal.like(items, name=f"down_{step}")
            for n in range(self.cfg.window):
                here = now[n]
                m.d.comb += [after[n].eq(here), after[n].there.eq(here.there & ~here.down[step])]
                if n + (1 << step) < self.cfg.window:
                    above = now[n + (1 << step)]
                    with m.If(above.there & above.down[step]):
                        m.d.comb += after[n].eq(above)
            now = after
        return self._register(m, load, now, about, f"compact_{steps[0]}")

    def _widened(self, items):
        """The neurons alone, and room for those left over."""
        empty = Const(0, chosen_layout(self.cfg).size)
        values = [Value.cast(item.item) for item in items]
        return data.View(data.ArrayLayout(chosen_layout(self.cfg), len(items) + self.cfg.tn),
                         Cat(*values, *[empty] * self.cfg.tn))

    def _align(self, m, load, rows, about, steps):
        """Some steps of the way up, by as many lanes as are left over."""
        now = rows
        for step in steps:
            after = Signal(rows.shape(), name=f"up_{step}")
            for n in range(len(rows)):
                below = now[n - (1 << step)] if n >= 1 << step else now[n]
                m.d.comb += after[n].eq(Mux(about.carry[step], below.as_value(),
                                            now[n].as_value()))
            now = after
        return self._register(m, load, now, about, f"align_{steps[0]}")

    def _register(self, m, load, values, about, name):
        held = Signal(values.shape(), name=name, reset_less=True)
        its = Signal.like(about, name=f"{name}_about", reset_less=True)
        with m.If(load):
            m.d.sync += [held.eq(values), its.eq(about)]
        return held, its

    def _emit(self, m, valid, load, rows, about):
        """The last stage: a row per cycle. Returns that it is done with its window."""
        cfg = self.cfg
        tn, low = cfg.tn, steps_of(cfg.tn)
        item = chosen_layout(cfg)
        held = Signal(rows.shape(), reset_less=True)
        left = Signal(data.ArrayLayout(item, tn), reset_less=True)
        its = Signal(self._about_layout(), reset_less=True)
        full = Signal(range(cfg.window_granules + 2))   # rows to come; its.total, what they hold
        first, done = Signal(), Signal()
        row = Signal(data.ArrayLayout(item, tn))
        for n in range(tn):
            m.d.comb += row[n].eq(Mux(first & (n < its.carry), left[n].as_value(),
                                      held[n].as_value()))
        m.d.comb += [
            self.o.valid.eq(valid & (full != 0)), self.waiting.eq(valid & (full == 0)),
            self.o.p.lanes.eq(row), self.o.p.synapses.eq(its.synapses),
            self.o.p.count.eq(Mux(its.total >= tn, tn, its.total)),
            self.o.p.last.eq(its.last & (full == 1)),
            done.eq((full == 0) | ((full == 1) & self.o.ready)),
        ]
        after = about.total[low:]
        with m.If(valid & self.o.valid & self.o.ready):
            size = item.size * tn
            m.d.sync += [held.as_value().eq(held.as_value()[size:]), first.eq(0), full.eq(full - 1),
                         its.total.eq(its.total - tn)]
            with m.If(done):
                m.d.sync += left.as_value().eq(held.as_value()[size:2 * size])
        with m.Elif(valid & (full == 0)):
            m.d.sync += left.eq(row)
        with m.If(load):
            partial = about.total[:low].any() | (about.total == 0) if low else about.total == 0
            m.d.sync += [held.eq(rows), its.eq(about), first.eq(1),
                         full.eq(after + (about.last & partial))]
        return done


def _parts(steps, per_stage):
    """The numbers of the steps of each register, in order."""
    return [range(n, min(n + per_stage, steps)) for n in range(0, steps, per_stage)]


def _prefix(m, values, name):
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
