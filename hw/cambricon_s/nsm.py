# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V-B: neuron selector module.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.shared import Shared

from .layouts import vector_layout, window_layout
from .nsm_parts import Counts, Moved, Places, Raised, Rows, counts_layout, prefix, steps_of


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
        planes, about = self._places(m, load[2], sums)
        stage = 3
        for part in _parts(steps_of(self.cfg.window), self.cfg.nsm_steps):
            planes, about = self._compact(m, load[stage], planes, about, part)
            stage += 1
        rows = planes[2]
        for part in _parts(steps_of(self.cfg.tn), self.cfg.nsm_steps):
            rows, about = self._align(m, load[stage], rows, about, part)
            stage += 1
        m.d.comb += leave.eq(self._emit(m, valid[stage], load[stage], rows, about))
        return m

    def _flags(self, m, load):
        """The window's neurons, and of each granule its `counts_layout`."""
        cfg, w = self.cfg, self.i.p
        there, flags = Signal(cfg.window), []
        m.d.comb += there.eq(~(Const(-1, cfg.window) << w.count))
        neurons, last = Signal(cfg.window * cfg.data_bits, reset_less=True), Signal()
        with m.If(load):
            m.d.sync += [neurons.eq(w.neurons), last.eq(w.last)]
        for g in range(cfg.window_granules):
            m.submodules[f"counts_{g}"] = counts = Shared(Counts, cfg)
            granule = slice(g * cfg.tn, (g + 1) * cfg.tn)
            m.d.comb += [counts.index.eq(w.index[granule]), counts.there.eq(there[granule]),
                         counts.neurons.eq(w.neurons.as_value().word_select(
                             g, cfg.granule_bits)),
                         counts.dense.eq(w.dense), counts.dynamic.eq(w.dynamic)]
            flags.append(Signal(counts_layout(cfg), name=f"flags_{g}", reset_less=True))
            with m.If(load):
                m.d.sync += flags[g].eq(counts.o)
        return neurons, flags, last

    def _sums(self, m, load, flags):
        """Counts before each granule; the running base of targets, and the lanes left over."""
        cfg = self.cfg
        neurons, counts, last = flags
        kept = Signal.like(neurons, name="sums_neurons")
        about = Signal(self._about_layout(), name="sums_about", reset_less=True)
        base, carry = Signal(cfg.target_bits + 1), Signal(cfg.tn.bit_length())
        connected = prefix(m, [one.connected for one in counts], "connected")
        chosen = prefix(m, [one.chosen for one in counts], "chosen")
        synapses, total = Signal(cfg.target_bits + 1), Signal(range(cfg.window + cfg.tn))
        m.d.comb += [synapses.eq(base + connected[-1]), total.eq(carry + chosen[-1])]
        lanes = total[:steps_of(cfg.tn)]
        granules = []
        with m.If(load):
            m.d.sync += [
                kept.eq(neurons), about.carry.eq(carry), about.total.eq(total),
                about.last.eq(last), about.synapses.eq(synapses),
                base.eq(Mux(last, 0, synapses)), carry.eq(Mux(last, 0, lanes)),
            ]
            for g, one in enumerate(counts):
                held = Signal.like(one, name=f"sums_{g}")
                first = Signal(cfg.target_bits, name=f"base_{g}", reset_less=True)
                before = Signal(range(cfg.window + 1), name=f"before_{g}", reset_less=True)
                m.d.sync += [held.eq(one), first.eq(base + connected[g]), before.eq(chosen[g])]
                granules.append((held, first, before))
        return kept, granules, about

    def _about_layout(self):
        """``total``: the lanes left over (``carry``) and the window's chosen neurons."""
        cfg = self.cfg
        return data.StructLayout({"carry": cfg.tn.bit_length(), "total": range(cfg.window + cfg.tn),
                                  "last": 1, "synapses": cfg.target_bits + 1})

    def _places(self, m, load, sums):
        """What is there, how far it is to move down, and what it is (neuron, target): planes, of
        bit b of every neuron one each."""
        cfg = self.cfg
        neurons, granules, its = sums
        targets, downs, there = [], [], []
        for g, (counts, base, before) in enumerate(granules):
            m.submodules[f"places_{g}"] = places = Shared(Places, cfg)
            m.d.comb += [places.counts.eq(counts), places.base.eq(base), places.before.eq(before),
                         places.first.eq(g * cfg.tn)]
            targets += list(places.target)
            downs += list(places.down)
            there += list(counts.there)
        values = [neurons.word_select(n, cfg.data_bits) for n in range(cfg.window)]
        about = Signal(self._about_layout(), reset_less=True)
        planes = [_plane("there", there), _planes("down", downs),
                  [*_planes("neuron", values), *_planes("target", targets)]]
        with m.If(load):
            m.d.sync += about.eq(its)
            for plane, bits in (planes[0], *planes[1], *planes[2]):
                m.d.sync += plane.eq(bits)
        return (planes[0][0], *([plane for plane, _ in some] for some in planes[1:])), about

    def _compact(self, m, load, planes, about, steps):
        """Some steps of the way down, the smallest first: so no two chosen neurons meet."""
        there, downs, values = planes
        takes = []
        for step in steps:
            take = Signal.like(there, name=f"take_{step}")      # what comes from above
            left = Signal.like(there, name=f"there_{step}")
            m.d.comb += [take.eq((there & downs[step]) >> (1 << step)),
                         left.eq((there & ~downs[step]) | take)]
            there = left
            takes.append(take)
            downs = [down if n <= step else self._moved(m, f"down_{n}_{step}", down, [take], [step])
                     for n, down in enumerate(downs)]
        values = [self._moved(m, f"item_{n}_{steps[0]}", plane, takes, steps)
                  for n, plane in enumerate(values)]
        held = [there, *downs[steps[-1] + 1:], *values]
        held, about = self._register(m, load, held, about, f"compact_{steps[0]}")
        rest = len(downs) - steps[-1] - 1
        return (held[0], [*downs[:steps[-1] + 1], *held[1:1 + rest]], held[1 + rest:]), about

    def _moved(self, m, name, plane, takes, steps):
        m.submodules[name] = block = Shared(Moved, self.cfg.window, tuple(steps))
        m.d.comb += [block.i.eq(plane), *(block.take[n].eq(t) for n, t in enumerate(takes))]
        return block.o

    def _align(self, m, load, rows, about, steps):
        """Some steps of the way up, by as many lanes as are left over."""
        size, raised = self.cfg.window + self.cfg.tn, []
        for n, plane in enumerate(rows):
            m.submodules[f"raised_{n}_{steps[0]}"] = block = Shared(Raised, size, tuple(steps))
            m.d.comb += [block.i.eq(plane),
                         *(block.up[k].eq(about.carry[step]) for k, step in enumerate(steps))]
            raised.append(block.o)
        return self._register(m, load, raised, about, f"align_{steps[0]}")

    def _register(self, m, load, planes, about, name):
        held = [Signal(len(plane), name=f"{name}_{n}", reset_less=True)
                for n, plane in enumerate(planes)]
        its = Signal.like(about, name=f"{name}_about", reset_less=True)
        with m.If(load):
            m.d.sync += [its.eq(about), *(a.eq(b) for a, b in zip(held, planes, strict=True))]
        return held, its

    def _emit(self, m, valid, load, rows, about):
        """The last stage: a row per cycle. Returns that it is done with its window."""
        cfg = self.cfg
        tn, low = cfg.tn, steps_of(cfg.tn)
        its = Signal(self._about_layout(), reset_less=True)
        full = Signal(range(cfg.window_granules + 2))   # rows to come; its.total, what they hold
        first, done, goes, over = Signal(), Signal(), Signal(), Signal(tn)
        row = []
        for n, plane in enumerate(rows):
            m.submodules[f"rows_{n}"] = block = Shared(Rows, cfg.window + tn, tn)
            m.d.comb += [block.i.eq(plane), block.load.eq(load), block.over.eq(over),
                         block.goes.eq(goes), block.done.eq(done),
                         block.keep.eq(valid & (full == 0))]
            row.append(block.row)
        m.d.comb += [
            over.eq(Mux(first, ~(Const(-1, tn) << its.carry), 0)),
            self.o.valid.eq(valid & (full != 0)), self.waiting.eq(valid & (full == 0)),
            *(self.o.p.lanes[n].eq(Cat(plane[n] for plane in row)) for n in range(tn)),
            self.o.p.synapses.eq(its.synapses),
            self.o.p.count.eq(Mux(its.total >= tn, tn, its.total)),
            self.o.p.last.eq(its.last & (full == 1)),
            done.eq((full == 0) | ((full == 1) & self.o.ready)),
            goes.eq(self.o.valid & self.o.ready),
        ]
        after = about.total[low:]
        with m.If(goes):
            m.d.sync += [first.eq(0), full.eq(full - 1), its.total.eq(its.total - tn)]
        with m.If(load):
            partial = about.total[:low].any() | (about.total == 0) if low else about.total == 0
            m.d.sync += [its.eq(about), first.eq(1), full.eq(after + (about.last & partial))]
        return done


def _plane(name, bits):
    """A register for the bits, and they."""
    return Signal(len(bits), name=name, reset_less=True), Cat(bits)


def _planes(name, values):
    """The same for each bit of values of one width."""
    return [_plane(f"{name}_{b}", [value[b] for value in values])
            for b in range(len(values[0]))]


def _parts(steps, per_stage):
    """The numbers of the steps of each register, in order."""
    return [range(n, min(n + per_stage, steps)) for n in range(0, steps, per_stage)]
