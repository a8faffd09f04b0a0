# Ref: Parashar et al., "SCNN", ISCA 2017, Fig. 5: the array of PEs and its nearest-neighbour links.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.common.numeric import adder_tree
from hw.common.shared import Shared

from .layouts import (
    PEError,
    announcement_layout,
    command_layout,
    decoded_line_layout,
    descriptor_layout,
    status_layout,
)
from .pe import PE, store_layout

LEFT, RIGHT, UP, DOWN = range(4)


class PEArray(wiring.Component):
    """pe_rows × pe_cols PEs, each linked to its four neighbours; one module, instantiated.

    Members
    -------
    descriptor : In(descriptor_layout(cfg))
    command : In(command_layout(cfg))
    announce : In(announcement_layout(cfg)).array(pe_rows)
    line : In(stream.Signature(decoded_line_layout(cfg))).array(pe_rows, pe_cols)
    statuses : Out
        Per PE, row by row.
    all_done, all_drained, all_empty : Out(1)
        In the same cycle.
    products : Out
        Products pushed in the cycle before, all PEs.
    error : Out(1)
    error_code, error_pe : Out
        The lowest PE with an error, and its kind.
    store_channel, store_row : In, by PE row
    store : Out
        By PE row and column.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        grid = data.ArrayLayout(data.ArrayLayout(store_layout(cfg), cfg.pe_cols), cfg.pe_rows)
        super().__init__({
            "descriptor": In(descriptor_layout(cfg)),
            "command": In(command_layout(cfg)),
            "announce": In(announcement_layout(cfg)).array(cfg.pe_rows),
            "line": In(stream.Signature(decoded_line_layout(cfg))).array(cfg.pe_rows, cfg.pe_cols),
            "statuses": Out(data.ArrayLayout(status_layout(cfg), cfg.pes)),
            "all_done": Out(1),
            "all_drained": Out(1),
            "all_empty": Out(1),
            "products": Out(range(cfg.multipliers + 1)),
            "error": Out(1),
            "error_code": Out(PEError),
            "error_pe": Out(16),
            "store_channel": In(data.ArrayLayout(cfg.channel_bits, cfg.pe_rows)),
            "store_row": In(data.ArrayLayout(cfg.row_bits, cfg.pe_rows)),
            "store": Out(grid),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        pes = {(r, c): Shared(PE, cfg) for r in range(cfg.pe_rows) for c in range(cfg.pe_cols)}
        for (r, c), pe in pes.items():
            m.submodules[f"pe_{r}_{c}"] = pe
            beside = {LEFT: (r, c - 1), RIGHT: (r, c + 1), UP: (r - 1, c), DOWN: (r + 1, c)}
            index = r * cfg.pe_cols + c
            m.d.comb += [
                pe.index.eq(index), pe.command.eq(self.command), pe.announce.eq(self.announce[r]),
                pe.layer.eq(self.descriptor.layer), pe.row.eq(self.descriptor.rows[r]),
                pe.col.eq(self.descriptor.cols[c]),
                pe.border.eq(Cat(beside[d] not in pes for d in range(4))),
                pe.store_channel.eq(self.store_channel[r]), pe.store_row.eq(self.store_row[r]),
                self.store[r][c].eq(pe.store), self.statuses[index].eq(pe.status),
            ]
            for d, place in beside.items():
                if place in pes:
                    m.d.comb += pe.link_i[d].eq(pes[place].link_o[d ^ 1])
            wiring.connect(m, wiring.flipped(self.line[r][c]), pe.line)
        statuses = [self.statuses[n] for n in range(cfg.pes)]
        m.d.comb += [
            self.all_done.eq(Cat(s.done for s in statuses).all()),
            self.all_drained.eq(Cat(s.drained for s in statuses).all()),
            self.all_empty.eq(Cat(s.empty for s in statuses).all()),
            self.products.eq(adder_tree([s.products for s in statuses], m=m)),
        ]
        for n in reversed(range(cfg.pes)):
            with m.If(statuses[n].error != PEError.NONE):
                m.d.comb += [self.error.eq(1), self.error_code.eq(statuses[n].error),
                             self.error_pe.eq(n)]
        return m
