"""Accumulator banks: sums of products, double-buffered.

Ref: Parashar et al., "SCNN", ISCA 2017, Section IV, Fig. 6, Table II: accumulator buffers.
"""
from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.select import select
from hw.common.shared import Shared

from .coordinates import bank_of, entry_of


def fill_layout(cfg):
    """A product at its bank."""
    return data.StructLayout({"valid": 1, "entry": cfg.entry_bits, "value": signed(cfg.acc_bits)})


def send_layout(cfg):
    """Read the sum at ``address``, and zero it if ``zero``."""
    return data.StructLayout({"enable": 1, "address": cfg.acc_addr_bits, "zero": 1})


def receive_layout(cfg):
    """Add ``value`` to the sum at ``address``."""
    return data.StructLayout({"enable": 1, "address": cfg.acc_addr_bits,
                              "value": signed(cfg.acc_bits)})


class AccumulatorBank(wiring.Component):
    """Two buffers of ``acc_entries`` sums: one fills, the other is drained.

    The fill side adds a product per cycle, even to one entry again and again. The drain side
    reads a sum combinationally and may write it in the same cycle. Sums wrap at ``acc_bits``. Each
    buffer is a memory with one asynchronous read port and one write port. An entry of
    ``acc_entries`` or more reads as anything; writing it does nothing.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    select : In(1)
        The buffer that fills; the other one drains.
    fill : In(fill_layout(cfg))
        Adds ``value`` to ``entry``.
    entry : In(entry_bits)
        The sum that the drain side works on.
    sum : Out(signed(acc_bits))
        Its value, in the same cycle.
    write : In(1)
        Overwrite it with ``value``, ``sum + value`` if ``add``.
    add : In(1)
    value : In(signed(acc_bits))
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "select": In(1),
            "fill": In(fill_layout(cfg)),
            "entry": In(cfg.entry_bits),
            "sum": Out(signed(cfg.acc_bits)),
            "write": In(1),
            "add": In(1),
            "value": In(signed(cfg.acc_bits)),
        })

    def elaborate(self, platform):
        m = Module()
        sums = []
        for n in range(2):
            m.submodules[f"sums_{n}"] = memory = Memory(
                shape=signed(self.cfg.acc_bits), depth=self.cfg.acc_entries, init=[])
            write, read = memory.write_port(), memory.read_port(domain="comb")
            fills = Signal(name=f"fills_{n}")
            value = Mux(fills, self.fill.value, self.value).as_unsigned()
            m.d.comb += [
                fills.eq(self.select == n),
                read.addr.eq(Mux(fills, self.fill.entry, self.entry)),
                write.addr.eq(read.addr),
                write.en.eq(Mux(fills, self.fill.valid, self.write)),
                write.data.eq(value + Mux(fills | self.add, read.data, 0).as_unsigned()),
            ]
            sums.append(read.data)
        m.d.comb += self.sum.eq(Mux(self.select, sums[0], sums[1]))
        return m


class Accumulators(wiring.Component):
    """The A banks of a PE, addressed as a whole on the drain side.

    ``bank_of`` and ``entry_of`` (see `coordinates`) place an address. The crossbar fills one
    buffer through ``fill``; ``send``, ``receive`` and ``clear`` work on the other, each in one
    cycle. ``clear`` excludes the other two. If ``send`` and ``receive`` hit the same bank, receive
    wins: ``conflict`` is high, ``sum`` means nothing, and send must be repeated.

    Parameters
    ----------
    cfg : SCNNConfig

    Members
    -------
    select : In(1)
        The buffer that fills.
    fill : In(fill_layout(cfg)).array(acc_banks)
    send : In(send_layout(cfg))
    sum : Out(signed(acc_bits))
        What send reads, in the same cycle.
    receive : In(receive_layout(cfg))
    conflict : Out(1)
        Both are enabled and hit one bank.
    clear, clear_entry : In(1), In(entry_bits)
        Zeroes this entry of every bank of the buffer that drains.
    """
    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "select": In(1),
            "fill": In(fill_layout(cfg)).array(cfg.acc_banks),
            "send": In(send_layout(cfg)),
            "sum": Out(signed(cfg.acc_bits)),
            "receive": In(receive_layout(cfg)),
            "conflict": Out(1),
            "clear": In(1),
            "clear_entry": In(cfg.entry_bits),
        })

    def elaborate(self, platform):
        m = Module()
        cfg, send, receive = self.cfg, self.send, self.receive
        send_bank, receive_bank = Signal(cfg.bank_bits), Signal(cfg.bank_bits)
        send_hit, receive_hit = Signal(cfg.acc_banks), Signal(cfg.acc_banks)
        entry = Signal(cfg.entry_bits)              # of every bank that does not receive
        sums = []
        m.d.comb += [
            send_bank.eq(bank_of(cfg, send.address)),
            receive_bank.eq(bank_of(cfg, receive.address)),
            receive_hit.eq(receive.enable << receive_bank),
            send_hit.eq((send.enable & send.zero) << send_bank),
            self.conflict.eq(send.enable & receive.enable & (send_bank == receive_bank)),
            entry.eq(Mux(self.clear, self.clear_entry, entry_of(cfg, send.address))),
        ]
        for n in range(cfg.acc_banks):
            m.submodules[f"bank_{n}"] = bank = Shared(AccumulatorBank, cfg)
            receives = receive_hit[n]
            m.d.comb += [
                bank.select.eq(self.select),
                bank.fill.eq(self.fill[n]),
                bank.entry.eq(Mux(receives, entry_of(cfg, receive.address), entry)),
                bank.write.eq(self.clear | receives | send_hit[n]),
                bank.add.eq(receives),
                bank.value.eq(Mux(receives, receive.value, 0)),
            ]
            sums.append(bank.sum)
        m.d.comb += self.sum.eq(select(sums, send_bank))
        return m
