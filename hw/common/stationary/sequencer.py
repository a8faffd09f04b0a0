# Ref: Yang et al., "S2 Engine", Fig. 4: the controller. A pass from descriptor to finished.
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .layouts import descriptor_layout


class Sequencer(wiring.Component):
    """Runs a pass: checks its descriptor, starts everything at once, waits for the end.

    A descriptor seen in cycle d: ``start`` in d + 1, ``run`` from d + 2 on, until ``stored`` and
    ``passed`` in cycle f; ``finished`` in f + 1.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    descriptor : In(descriptor_layout(cfg))
        Held while ``valid``, until ``finished``.
    valid : In(1)
    finished, start, run : Out(1)
    stored : In(1)
        What the pass stores is in memory.
    passed : In(1)
        All its sums have left the array.
    empty : In(1)
        No bank of FB or WB holds a token.
    bad, left : Out(1)
        The descriptor contradicts itself or the machine; tokens are left over. Till reset.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "descriptor": In(descriptor_layout(cfg)),
            "valid": In(1),
            "finished": Out(1),
            "start": Out(1),
            "run": Out(1),
            "stored": In(1),
            "passed": In(1),
            "empty": In(1),
            "bad": Out(1),
            "left": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        wrong = Signal()
        m.d.sync += wrong.eq(Cat(self._contradictions(self.descriptor)).any())
        with m.FSM():
            with m.State("IDLE"), m.If(self.valid):
                m.next = "CHECK"
            with m.State("CHECK"):
                m.d.comb += self.start.eq(~wrong)
                m.next = "RUN"
                with m.If(wrong):
                    m.next = "BAD"
            with m.State("RUN"):
                m.d.comb += self.run.eq(1)
                with m.If(self.stored & self.passed):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += self.finished.eq(self.empty)
                m.next = "IDLE"
                with m.If(~self.empty):
                    m.next = "LEFT"
            with m.State("BAD"):
                m.d.comb += self.bad.eq(1)
            with m.State("LEFT"):
                m.d.comb += self.left.eq(1)
        return m

    def _contradictions(self, d):
        """What a descriptor with a good CRC may still get wrong."""
        cfg = self.cfg

        def slots(field):
            return (field != 1) & (field != 2) if cfg.mixed else field != 1
        biases = d.bias_lines * cfg.biases_per_line
        naive = [d.ce != 0] if cfg.naive else []       # it has no CEs
        positive = ("tiles", "tile_pixels", "line_pixels", "out_rows", "kernels", "kernel_tiles",
                    "tile_kernels", "channel_groups", "kernel_rows", "kernel_cols", "stride",
                    "groups", "weight_lines", "pooled_rows", "pooled_cols")
        return [
            *(d[name] == 0 for name in positive),
            # tiles that no row or column has, or that are not those of the pass
            d.tile_pixels + d.tile_more.any() > cfg.rows, d.tile_more >= d.tiles,
            d.tile_kernels + d.kernels_more.any() > cfg.cols, d.kernels_more >= d.kernel_tiles,
            d.pixels != d.tiles * d.tile_pixels + d.tile_more,
            d.pixels != d.out_rows * d.line_pixels,
            d.kernels != d.kernel_tiles * d.tile_kernels + d.kernels_more,
            # the rows' groups are not the columns'
            d.groups != d.channel_groups * d.kernel_rows * d.kernel_cols,
            # what the edges, the loader, the buffers do not hold
            d.kernels > cfg.max_kernels, biases < d.kernels, biases >= d.kernels
            + cfg.biases_per_line, d.weight_lines[20:].any(), slots(d.slots), slots(d.store_slots),
            # each section as often as it is needed, by loads or by replays
            ((d.f_loads != 1) | (d.f_replays != d.kernel_tiles))
            & ((d.f_loads != d.kernel_tiles) | (d.f_replays != 1)),
            d.w_replays != Mux(d.w_stream, 1, d.tiles), d.w_loads != Mux(d.w_stream, d.tiles, 1),
            # results
            d.shift > cfg.acc_bits + 17, d.out_bits < 2, d.out_bits > cfg.data_bits,
            (d.store_slots == 1) & (d.out_bits > 8), d.pool == 3, *naive,
            d.pool.any() & ((d.pool_k == 0) | (d.pool_stride == 0) | (d.pool_pad >= d.pool_k)
                            | (d.pool_cells == 0)), (d.pool == 2) & (d.pool_area == 0),
        ]
