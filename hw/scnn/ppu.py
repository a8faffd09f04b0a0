# Ref: Parashar et al., "SCNN", ISCA 2017, section IV: post-processing unit.
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.divider import AverageDivider
from hw.common.numeric import round_shift_half_even

from .activation_ram import write_layout
from .layouts import layer_layout, tile_layout
from .run_length import RunLengthEncoder, sample_layout
from .window import WindowWalk


class PPU(wiring.Component):
    """Post-processing unit: drains one output-channel group into the output activation RAM.

    Reads the tile's sums in the consumer's order (channel, phase, row, column; within it the
    pooling window), adds the bias, requantises, applies ReLU, pools, run-length encodes.

    Throughput: one sum per cycle, except a cycle per placeholder and ``data_bits + 1`` per
    average. Without those, with ``start`` in cycle s and n steps (``window.py`` counts them), sums
    are fetched in s+2 .. s+n+1 and ``done`` is seen from s+n+6 on. Nothing to do: from s+1.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    layer, row, col : In
        Descriptor, constant during a layer.
    start : In(1)
    kc, channel : In(16)
        Output channels of the group and its first channel in the output RAM; held until done.
    done : Out(1)
    select : In(1)
        Side of the bias memory that fills; the other one is read.
    bias : In
        One row of biases written to the filling side.
    fetch_enable, fetch_address, fetch_value
        Reads one sum of the drained buffer, combinationally.
    write : Out
        Rows and channel ends for the output RAM.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        self.bias_rows = -(-cfg.max_kc // cfg.biases_per_slot)
        super().__init__({
            "layer": In(layer_layout()),
            "row": In(tile_layout()),
            "col": In(tile_layout()),
            "start": In(1),
            "kc": In(16),
            "channel": In(16),
            "done": Out(1),
            "select": In(1),
            "bias": In(data.StructLayout({
                "valid": 1,
                "row": range(self.bias_rows),
                "values": data.ArrayLayout(signed(cfg.acc_bits), cfg.biases_per_slot)})),
            "fetch_enable": Out(1),
            "fetch_address": Out(cfg.acc_addr_bits),
            "fetch_value": In(signed(cfg.acc_bits)),
            "write": Out(write_layout(cfg)),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, lay = self.cfg, self.layer
        m.submodules.walk = walk = WindowWalk(cfg)
        m.submodules.encoder = encoder = RunLengthEncoder(cfg)
        advance = Signal()               # the whole pipeline moves
        m.d.comb += [
            walk.layer.eq(lay), walk.row.eq(self.row), walk.col.eq(self.col),
            walk.start.eq(self.start), walk.kc.eq(self.kc), walk.channel.eq(self.channel),
            walk.advance.eq(advance),
            self.write.eq(encoder.write),
        ]

        # Sum and bias. A step is one position of a pooling window.
        tag = [Signal(walk.o.shape(), name=f"tag_{n}") for n in range(3)]
        total, scaled = Signal(signed(cfg.acc_bits)), Signal(signed(cfg.acc_bits + 17))
        m.d.comb += [self.fetch_enable.eq(walk.o.valid & walk.o.read & advance),
                     self.fetch_address.eq(walk.o.address)]
        value = self._requantise(m, scaled)
        quantised = Signal(signed(cfg.data_bits))
        with m.If(advance):
            m.d.sync += [
                tag[0].eq(walk.o), total.eq(self.fetch_value + self._bias(m, walk.o.k)),
                tag[1].eq(tag[0]), scaled.eq(total * lay.multiplier),
                tag[2].eq(tag[1]), quantised.eq(value),
            ]
        encoding = Signal()              # the encoder may hold a sample
        with m.If(advance):
            m.d.sync += encoding.eq(tag[2].valid)
        pooled, busy = self._pool(m, tag[2], quantised, advance)
        m.d.comb += [
            encoder.i.eq(pooled),
            advance.eq(~busy & encoder.ready),
            self.done.eq(walk.done & ~walk.o.valid & ~tag[0].valid & ~tag[1].valid & ~tag[2].valid
                         & ~encoding & encoder.idle),
        ]
        return m

    def _bias(self, m, k):
        """The bias of the group's channel k: one row of the memory holds several."""
        cfg, n = self.cfg, self.cfg.biases_per_slot
        m.submodules.biases = memory = Memory(
            shape=n * cfg.acc_bits, depth=2 << (self.bias_rows - 1).bit_length(), init=[])
        write, read = memory.write_port(), memory.read_port(domain="comb")
        side = (self.bias_rows - 1).bit_length()
        m.d.comb += [
            write.en.eq(self.bias.valid),
            write.addr.eq(self.bias.row | (self.select << side)),
            write.data.eq(self.bias["values"].as_value()),
            read.addr.eq(k.row | (~self.select << side)),
        ]
        return Array([read.data[i * cfg.acc_bits:(i + 1) * cfg.acc_bits].as_signed()
                      for i in range(n)])[k.slot]

    def _requantise(self, m, scaled):
        """Round half to even, saturate to out_bits, ReLU."""
        cfg, lay = self.cfg, self.layer
        rounded = round_shift_half_even(scaled, lay.shift[:(len(scaled)).bit_length()],
                                        len(scaled), m=m)
        high, low = Signal(signed(cfg.data_bits + 1)), Signal(signed(cfg.data_bits + 1))
        m.d.comb += [high.eq((1 << (lay.out_bits - 1)[:5]) - 1),
                     low.eq(Mux(lay.relu, 0, ~high))]
        return Mux(rounded > high, high, Mux(rounded < low, low, rounded))

    def _pool(self, m, tag, value, advance):
        """Combines a window; returns the sample for the encoder and `busy` (dividing)."""
        cfg, lay = self.cfg, self.layer
        some, best = Signal(), Signal(signed(cfg.data_bits))
        total, after = Signal(signed(cfg.data_bits + 16)), Signal(signed(cfg.data_bits + 16))
        maximum = Signal(signed(cfg.data_bits))
        known = Signal()
        m.d.comb += [
            known.eq(some & ~tag.first),
            maximum.eq(Mux(~tag.read | (known & (best > value)), best, value)),
            after.eq(Mux(tag.first, 0, total) + Mux(tag.read, value, 0)),
        ]
        with m.If(advance & tag.valid & tag.stored):
            m.d.sync += [some.eq(known | tag.read), best.eq(maximum), total.eq(after)]

        m.submodules.divider = divider = AverageDivider(cfg.data_bits)
        average, averages = Signal(), Signal()      # now; in this layer
        m.d.sync += averages.eq(lay.pool == 2)
        m.d.comb += [
            average.eq(tag.valid & tag.stored & tag.last & averages),
            divider.i.eq(after), divider.area.eq(lay.pool_area),
            divider.start.eq(average), divider.take.eq(average & advance),
        ]
        sample = Signal(sample_layout(cfg))
        m.d.comb += [
            sample.valid.eq(tag.valid & tag.stored & tag.last & advance),
            sample.value.eq(Mux(averages, divider.o, maximum)),
            sample.position.eq(tag.position),
            sample.channel.eq(tag.channel),
            sample.end.eq(tag.end),
        ]
        return sample, average & ~divider.ready
