# Ref: Parashar et al., "SCNN", ISCA 2017, section IV and Fig. 5: weights are broadcast to the PEs.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .layouts import announcement_layout, decoded_line_layout


class Broadcast(wiring.Component):
    """A registered tree: a root, a register per PE row; every PE takes its copy in its own time.

    A register leaves in the cycle in which the last of its children takes. One line per cycle
    if no PE holds it up. A line that ends the load section is followed by the next only after
    ``empty``: every PE has stored its rows in its activation RAM.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    i : In(stream)
        ``line``, ``end_section``.
    announce : Out(announcement_layout(cfg)).array(pe_rows)
        ``valid`` in the cycle before a row's PEs are first offered a line.
    o : Out(stream.Signature(decoded_line_layout(cfg))).array(pe_rows, pe_cols)
    empty : In(1)
        No PE holds a line.
    idle : Out(1)
        No line in the tree.
    loaded : Out(1)
        The load section has passed: high for a cycle.
    """

    def __init__(self, cfg):
        self.cfg = cfg
        line = decoded_line_layout(cfg)
        super().__init__({
            "i": In(stream.Signature(data.StructLayout({"line": line, "end_section": 1}))),
            "announce": Out(announcement_layout(cfg)).array(cfg.pe_rows),
            "o": Out(stream.Signature(line)).array(cfg.pe_rows, cfg.pe_cols),
            "empty": In(1),
            "idle": Out(1),
            "loaded": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        cfg = self.cfg
        root, root_valid, root_leaves = Signal.like(self.i.p.line), Signal(), Signal()
        draining = Signal()          # the load section's last line is on its way
        end_section = Signal()
        rows_take, rows_valid = Signal(cfg.pe_rows), Signal(cfg.pe_rows)
        rows_taken = Signal(cfg.pe_rows)
        m.d.comb += [
            root_leaves.eq(root_valid & (rows_take | rows_taken).all()),
            self.i.ready.eq((~root_valid | root_leaves) & ~draining
                            & ~(root_valid & end_section)),
            self.idle.eq(~root_valid & ~rows_valid.any()),
            self.loaded.eq(draining & self.idle & self.empty),
        ]
        with m.If(root_leaves):
            m.d.sync += [root_valid.eq(0), rows_taken.eq(0), draining.eq(end_section)]
        with m.Else():
            m.d.sync += rows_taken.eq(rows_taken | rows_take)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [root.eq(self.i.p.line), root_valid.eq(1),
                         end_section.eq(self.i.p.end_section)]
        with m.If(self.loaded):
            m.d.sync += draining.eq(0)

        for r in range(cfg.pe_rows):
            self._row(m, r, root, root_valid & ~rows_taken[r], rows_take[r], rows_valid[r])
        return m

    def _row(self, m, r, root, offered, take, valid):
        cfg = self.cfg
        line = Signal.like(root, name=f"row_{r}")
        took, taken = Signal(cfg.pe_cols, name=f"took_{r}"), Signal(cfg.pe_cols, name=f"taken_{r}")
        leaves = Signal(name=f"leaves_{r}")
        m.d.comb += [
            took.eq(Cat(self.o[r][c].valid & self.o[r][c].ready for c in range(cfg.pe_cols))),
            leaves.eq(valid & (took | taken).all()),
            take.eq(offered & (~valid | leaves)),
        ]
        with m.If(leaves):
            m.d.sync += [valid.eq(0), taken.eq(0)]
        with m.Else():
            m.d.sync += taken.eq(taken | took)
        with m.If(take):
            m.d.sync += [line.eq(root), valid.eq(1)]
        self._announce(m, self.announce[r], root, take)
        for c in range(cfg.pe_cols):
            m.d.comb += [self.o[r][c].payload.eq(line), self.o[r][c].valid.eq(valid & ~taken[c])]

    def _announce(self, m, announce, root, take):
        m.d.comb += [announce.valid.eq(take), announce.target.eq(root.target),
                     announce.end_group.eq(root.end_group)]
        for n in range(self.cfg.weight_bus):
            m.d.comb += [announce.slots[n].kind.eq(root.slots[n].kind),
                         announce.slots[n].channel.eq(root.slots[n].channel)]
