"""Memory in banks that are read and written side by side."""
from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.common.check import require


def write_signature(shape, depth):
    """``en``, ``addr``, ``data`` as the memory's user drives them."""
    return wiring.Signature({"en": Out(1), "addr": Out(range(depth)), "data": Out(shape)})


def read_signature(shape, depth):
    """``en`` and ``addr`` as the memory's user drives them; ``data`` comes back."""
    return wiring.Signature({"en": Out(1), "addr": Out(range(depth)), "data": In(shape)})


class Banked(wiring.Component):
    """``banks`` memories of ``depth`` rows, each with one write and one read port.

    Throughput: one write and one read per cycle and bank. A write in cycle t is seen by reads from
    cycle t + 1 on; a read of the row being written gives the old word. Rows start as 0 and keep
    their words over a reset.

    Parameters
    ----------
    shape : ShapeLike
        Shape of a word.
    banks, depth : int
        At least 1 each.
    registered : bool
        True: ``data`` follows the address by one cycle and holds while ``en`` is low (block RAM,
        SRAM macros). False: ``data`` is that of this cycle's address and ``en`` is not looked at.

    Members
    -------
    write : In(write_signature(shape, depth)).array(banks)
        An ``addr`` that is no row writes nothing.
    read : In(read_signature(shape, depth)).array(banks)
        An ``addr`` that is no row gives an undefined word.
    """
    def __init__(self, shape, banks, depth, *, registered=True):
        for name, value in {"banks": banks, "depth": depth}.items():
            require(self, value >= 1,
                    f"{name} of a Banked memory must be at least 1, not {value}")
        self.shape = shape
        self.banks = banks
        self.depth = depth
        self.registered = registered
        super().__init__({
            "write": In(write_signature(shape, depth)).array(banks),
            "read": In(read_signature(shape, depth)).array(banks),
        })

    def elaborate(self, platform):
        m = Module()
        for k, (write, read) in enumerate(zip(self.write, self.read, strict=True)):
            bank = Memory(shape=self.shape, depth=self.depth, init=[])
            m.submodules[f"bank_{k}"] = bank
            w = bank.write_port()
            r = bank.read_port(domain="sync" if self.registered else "comb")
            m.d.comb += [w.en.eq(write.en), w.addr.eq(write.addr), w.data.eq(write.data),
                         r.addr.eq(read.addr), read.data.eq(r.data)]
            if self.registered:
                m.d.comb += r.en.eq(read.en)
        return m
