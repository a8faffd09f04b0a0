# Ref: Yu et al., "Multiply-and-Fire", Section 4.1: the fields of an event.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .fields import stride_shift
from .layouts import generated_layout, generator_layout, pixel_layout


class EventGenerator(wiring.Component):
    """Forms the events of a stored pixel for the layer that reads it.

    For every target (PEs with the same band and channels) that the pixel reaches, an event with its
    start weight, start neuron, jumps and channel. Targets in order; none for a pixel that reaches
    no output of any target.

    Throughput: one event per cycle; a pixel that makes none takes a cycle. Latency: an event can be
    offered 5 cycles after its pixel is taken, and comes with the first one.

    Parameters
    ----------
    cfg : MNFConfig

    Members
    -------
    setting : In(generator_layout(cfg))
        Held while there are pixels.
    i : In(stream.Signature(pixel_layout(cfg)))
    o : Out(stream.Signature(generated_layout(cfg)))
    idle : Out(1)
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "setting": In(generator_layout(cfg)),
            "i": In(stream.Signature(pixel_layout(cfg))),
            "o": Out(stream.Signature(generated_layout(cfg))),
            "idle": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        names = ("split", "taps", "match", "choose")
        valid = [Signal(name=f"{name}_valid") for name in names]
        load = [Signal(name=f"{name}_load") for name in names]
        pending, chosen = Signal(self.cfg.pes), Signal(self.cfg.pes)
        final = Signal()                    # the last event of the pixel in MATCH
        m.d.comb += [
            chosen.eq(pending & -pending), final.eq(pending == chosen),
            load[3].eq(~valid[3] | ~self.o.valid | self.o.ready),
            load[2].eq(~valid[2] | (load[3] & final)),
            load[1].eq(~valid[1] | load[2]), load[0].eq(~valid[0] | load[1]),
            self.i.ready.eq(load[0]), self.idle.eq(~Cat(valid, self.o.valid).any()),
        ]
        for n, before in enumerate((self.i.valid, valid[0], valid[1],
                                    valid[2] & pending.any())):
            with m.If(load[n]):
                m.d.sync += valid[n].eq(before)
        split = self._split(m, load[0])
        ranges = self._ranges(m, load[1], split)
        match = self._match(m, load[2], load[3], ranges, pending, chosen)
        choice = self._choose(m, load[3], match, chosen)
        self._finish(m, valid[3], choice)
        return m

    def _axes(self):
        return (("y", self.setting.rows), ("x", self.setting.cols))

    def _split(self, m, load):
        """Padded coordinates as positions and phases."""
        cfg, setting = self.cfg, self.setting
        axis = data.StructLayout({"at": cfg.coord_bits + 1, "phase": cfg.tap_bits})
        stage = Signal(data.StructLayout({"pixel": pixel_layout(cfg), "y": axis, "x": axis}))
        for name, own in self._axes():
            padded, at = (Signal(cfg.coord_bits + 1, name=f"{part}_{name}")
                          for part in ("padded", "at"))
            m.d.comb += [padded.eq(self.i.p[name] + own.pad),
                         at.eq((padded * setting.reciprocal) >> stride_shift(cfg))]
            with m.If(load):
                m.d.sync += [stage[name].at.eq(at),
                             stage[name].phase.eq(padded - at * setting.stride)]
        with m.If(load):
            m.d.sync += stage.pixel.eq(self.i.payload)
        return stage

    def _ranges(self, m, load, before):
        """The outputs that the phase's taps meet: [low, at], of the whole plane."""
        cfg, setting = self.cfg, self.setting
        axis = data.StructLayout({"at": cfg.coord_bits + 1, "low": signed(cfg.coord_bits + 2),
                                  "none": 1})
        stage = Signal(data.StructLayout({
            "pixel": pixel_layout(cfg), "phase": 2 * cfg.tap_bits, "y": axis, "x": axis}))
        for name, own in self._axes():
            taps = Signal(cfg.tap_bits + 1, name=f"taps_{name}")
            m.d.comb += taps.eq(own.taps + (before[name].phase < own.more))
            with m.If(load):
                m.d.sync += [stage[name].at.eq(before[name].at), stage[name].none.eq(taps == 0),
                             stage[name].low.eq(before[name].at - taps + 1)]
        with m.If(load):
            m.d.sync += [stage.pixel.eq(before.pixel),
                         stage.phase.eq(before.y.phase * setting.phase_cols + before.x.phase)]
        return stage

    def _match(self, m, load, take, before, pending, chosen):
        """The targets that the pixel reaches; its columns, which are the same for all."""
        cfg, setting, channel = self.cfg, self.setting, before.pixel.channel
        stage = Signal(data.StructLayout({
            "pixel": pixel_layout(cfg), "phase": 2 * cfg.tap_bits, "at": cfg.coord_bits + 1,
            "low": signed(cfg.coord_bits + 2), "x_first": cfg.coord_bits, "x_tap": cfg.tap_bits,
            "x_jump": cfg.tap_bits}))
        first, last = Signal(cfg.coord_bits), Signal(cfg.coord_bits)
        hit, hits = Signal(), []
        m.d.comb += [
            first.eq(Mux(before.x.low < 0, 0, before.x.low)),
            last.eq(Mux(before.x.at > setting.cols.out, setting.cols.out, before.x.at)),
            hit.eq((before.x.low <= setting.cols.out) & ~before.x.none & ~before.y.none),
        ]
        for n in range(cfg.pes):
            target, own = setting.targets[n], Signal(name=f"hit_{n}")
            m.d.comb += own.eq(
                hit & target.dest.any() & (before.y.low <= target.last_row)
                & (before.y.at >= target.first_row) & (channel >= target.first_channel)
                & (channel <= target.last_channel))
            hits.append(own)
        with m.If(load):
            m.d.sync += [
                pending.eq(Cat(hits)), stage.pixel.eq(before.pixel), stage.phase.eq(before.phase),
                stage.at.eq(before.y.at), stage.low.eq(before.y.low), stage.x_first.eq(first),
                stage.x_tap.eq(before.x.at - first), stage.x_jump.eq(last - first)]
        with m.Elif(take):
            m.d.sync += pending.eq(pending & ~chosen)
        return stage

    def _choose(self, m, load, match, chosen):
        """One target's rows and channels."""
        cfg = self.cfg
        target = Signal(self.setting.targets[0].shape())
        stage = Signal(data.StructLayout({
            "dest": cfg.nodes, "match": match.shape(), "row": cfg.coord_bits,
            "tap": cfg.tap_bits, "jump": cfg.tap_bits, "channel": cfg.channel_bits}))
        first, last = Signal(cfg.coord_bits), Signal(cfg.coord_bits)
        for n in range(cfg.pes):
            with m.If(chosen[n]):
                m.d.comb += target.eq(self.setting.targets[n])
        m.d.comb += [first.eq(Mux(match.low > target.first_row, match.low, target.first_row)),
                     last.eq(Mux(match.at > target.last_row, target.last_row, match.at))]
        with m.If(load):
            m.d.sync += [
                stage.match.eq(match), stage.dest.eq(target.dest),
                stage.row.eq(first - target.first_row), stage.tap.eq(match.at - first),
                stage.jump.eq(last - first),
                stage.channel.eq(match.pixel.channel - target.first_channel)]
        return stage

    def _finish(self, m, valid, choice):
        """Channel and start neuron."""
        setting, event, match = self.setting, self.o.p.event, choice.match
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(valid), self.o.p.dest.eq(choice.dest),
                event.value.eq(match.pixel.value),
                event.channel.eq(choice.channel * setting.phases + match.phase),
                event.tap_row.eq(choice.tap), event.tap_col.eq(match.x_tap),
                event.neuron.eq(choice.row * setting.pitch + match.x_first),
                event.y_jump.eq(choice.jump), event.x_jump.eq(match.x_jump)]
