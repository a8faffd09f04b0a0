"""A small grid of `Halo` blocks with their accumulators: what the halo bench runs on."""

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.scnn.accumulator import Accumulators
from hw.scnn.halo import Halo
from hw.scnn.layouts import HaloOp, layer_layout, tile_layout


class HaloGrid(wiring.Component):
    """``rows`` × ``cols`` PEs that can only exchange sums.

    Members
    -------
    layer, tile_rows, tile_cols, start, op : In
        As in the array.
    done : Out(1)
        All of them.
    address : In, write : In(1), value : In, sums : Out
        Outside of a step: the sum at `address` of every PE; `write` adds PE n's `value[n]`.
    """

    def __init__(self, cfg, rows, cols):
        self.cfg, self.rows, self.cols = cfg, rows, cols
        sums = data.ArrayLayout(signed(cfg.acc_bits), rows * cols)
        super().__init__({
            "layer": In(layer_layout()),
            "tile_rows": In(data.ArrayLayout(tile_layout(), rows)),
            "tile_cols": In(data.ArrayLayout(tile_layout(), cols)),
            "start": In(1),
            "op": In(HaloOp),
            "done": Out(1),
            "address": In(cfg.acc_addr_bits),
            "write": In(1),
            "value": In(sums),
            "sums": Out(sums),
        })

    def elaborate(self, platform):
        m = Module()
        halos = {}
        for n in range(self.rows * self.cols):
            r, c = divmod(n, self.cols)
            m.submodules[f"halo_{n}"] = halos[r, c] = halo = Halo(self.cfg)
            m.submodules[f"sums_{n}"] = sums = Accumulators(self.cfg)
            m.d.comb += [
                halo.layer.eq(self.layer), halo.row.eq(self.tile_rows[r]),
                halo.col.eq(self.tile_cols[c]), halo.start.eq(self.start), halo.op.eq(self.op),
                halo.send_value.eq(sums.sum), halo.conflict.eq(sums.conflict),
                sums.send.enable.eq(halo.send_enable), sums.send.zero.eq(halo.send_zero),
                sums.send.address.eq(Mux(halo.done, self.address, halo.send_address)),
                sums.receive.enable.eq(Mux(halo.done, self.write, halo.receive_enable)),
                sums.receive.address.eq(Mux(halo.done, self.address, halo.receive_address)),
                sums.receive.value.eq(Mux(halo.done, self.value[n], halo.receive_value)),
                self.sums[n].eq(sums.sum),
            ]
        for (r, c), halo in halos.items():
            beside = [(r, c - 1), (r, c + 1), (r - 1, c), (r + 1, c)]
            m.d.comb += halo.border.eq(Cat(place not in halos for place in beside))
            for d, place in enumerate(beside):
                if place in halos:
                    m.d.comb += halo.i[d].eq(halos[place].o[d ^ 1])
        m.d.comb += self.done.eq(Cat(halo.done for halo in halos.values()).all())
        return m
