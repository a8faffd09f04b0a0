# The end of a row of PEs. The paper leaves the way out open; see hw/s2engine/README.md, "Edges".
from itertools import pairwise

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.numeric import round_shift_half_even

from .layouts import result_layout

# What an edge knows of its pass; fields of the descriptor.
EDGE_FIELDS = {
    "tile_pixels": 16,      # of the pixel tiles, but for the first `tile_more`, which have one more
    "tile_more": 16,
    "kernel_tiles": 16,
    "tile_kernels": 16,     # of the kernel tiles, but for the first `kernels_more`
    "kernels_more": 16,
    "multiplier": 16,
    "shift": 8,
    "out_bits": 8,
    "relu": 1,
}


def group_layout(cfg):
    """A group of outputs: the values of consecutive kernels, zeros behind the last one."""
    return data.ArrayLayout(signed(cfg.data_bits), cfg.group)


def bias_layout(cfg):
    """A bias on its way to all edges."""
    return data.StructLayout({"valid": 1, "kernel": range(cfg.max_kernels),
                              "value": signed(cfg.acc_bits)})


class Edge(wiring.Component):
    """Bias, requantisation and ReLU of a row's sums, gathered into groups of kernels.

    One sum per cycle. Results of columns without a kernel, and of rows without a pixel, are taken
    and dropped. A value is in its group five cycles after its sum was taken; the group that it ends
    moves to the output in the cycle after that if the output is empty or taken in that cycle; else
    the row waits, all of its stages.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    row : In(8)
        Constant.
    start : In(1)
        A pass begins; not while there are sums.
    layer : In(StructLayout(EDGE_FIELDS))
        Constant during a pass.
    bias : In(bias_layout(cfg))
        Before the pass's first sum.
    i : In(stream.Signature(result_layout(cfg)))
    tile : Out(16)
        Pixel tiles whose sums have all been taken.
    o : Out(stream.Signature(group_layout(cfg)))
        Per pixel, groups in the order of the kernels; the last one may be part of a group.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "row": In(8),
            "start": In(1),
            "layer": In(data.StructLayout(EDGE_FIELDS)),
            "bias": In(bias_layout(cfg)),
            "i": In(stream.Signature(result_layout(cfg))),
            "tile": Out(16),
            "o": Out(stream.Signature(group_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, layer = self.cfg, self.layer
        advance, take = Signal(), Signal()
        m.d.comb += [take.eq(self.i.valid & advance), self.i.ready.eq(advance)]
        tag = data.StructLayout({"valid": 1, "slot": range(cfg.group), "close": 1})
        tags = [Signal(tag, name=f"tag_{n}") for n in range(5)]
        kernel = self._count(m, take, tags[0])

        m.submodules.biases = biases = Memory(shape=signed(cfg.acc_bits), depth=cfg.max_kernels,
                                              init=[])
        write, read = biases.write_port(), biases.read_port()
        m.d.comb += [
            write.en.eq(self.bias.valid), write.addr.eq(self.bias.kernel),
            write.data.eq(self.bias["value"]), read.en.eq(advance), read.addr.eq(kernel),
        ]
        value, total = Signal(signed(cfg.acc_bits)), Signal(signed(cfg.acc_bits))
        scaled = Signal(signed(cfg.acc_bits + 17))
        rounded, limited = Signal.like(scaled), Signal(signed(cfg.data_bits))
        high, low = Signal(signed(cfg.data_bits + 1)), Signal(signed(cfg.data_bits + 1))
        shifted = round_shift_half_even(scaled, layer.shift[:len(scaled).bit_length()],
                                        len(scaled), m=m)
        m.d.comb += [high.eq((1 << (layer.out_bits - 1)[:5]) - 1),
                     low.eq(Mux(layer.relu, 0, ~high))]
        with m.If(advance):
            m.d.sync += [
                value.eq(self.i.p.value), total.eq(value + read.data),
                scaled.eq(total * layer.multiplier), rounded.eq(shifted),
                limited.eq(Mux(rounded > high, high, Mux(rounded < low, low, rounded))),
                *(after.eq(before) for before, after in pairwise(tags)),
            ]
        self._gather(m, tags[4], limited, advance)
        return m

    def _count(self, m, take, tag):
        """Where the next sum belongs; sets the first stage's tag. Returns the kernel's number."""
        cfg, layer = self.cfg, self.layer
        column, tile, pixel_tile = Signal(range(cfg.cols)), Signal(16), self.tile
        kernel, slot = Signal(range(cfg.max_kernels)), Signal(range(cfg.group))
        used, there, final, wide = Signal(), Signal(), Signal(), Signal(17)
        m.d.comb += [
            wide.eq(layer.tile_kernels + (tile < layer.kernels_more)),
            used.eq(column < wide),
            there.eq(self.row < layer.tile_pixels + (pixel_tile < layer.tile_more)),
            final.eq(tile == layer.kernel_tiles - 1),
        ]
        ends = Signal()             # the group ends here
        m.d.comb += ends.eq((slot == cfg.group - 1) | (final & (column == wide - 1)))
        with m.If(self.i.ready):
            m.d.sync += [tag.valid.eq(take & used & there), tag.slot.eq(slot), tag.close.eq(ends)]
        with m.If(take):
            m.d.sync += column.eq(column + 1)
            with m.If(used):
                m.d.sync += [kernel.eq(kernel + 1), slot.eq(Mux(ends, 0, slot + 1))]
            with m.If(column == cfg.cols - 1):
                m.d.sync += [column.eq(0), tile.eq(tile + 1)]
                with m.If(final):
                    m.d.sync += [tile.eq(0), kernel.eq(0), pixel_tile.eq(pixel_tile + 1)]
        with m.If(self.start):
            m.d.sync += [column.eq(0), tile.eq(0), kernel.eq(0), slot.eq(0), pixel_tile.eq(0)]
        return kernel

    def _gather(self, m, tag, value, advance):
        """Values into their places; whole groups to the output."""
        group, full, move = Signal(group_layout(self.cfg)), Signal(), Signal()
        m.d.comb += [
            advance.eq(~full | ~self.o.valid | self.o.ready),
            move.eq(full & advance),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(move):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(group), group.as_value().eq(0)]
        with m.If(advance):
            m.d.sync += full.eq(tag.valid & tag.close)
            with m.If(tag.valid):
                m.d.sync += group[tag.slot].eq(value)
