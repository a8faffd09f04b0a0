"""A register file behind an AXI4-Lite slave, from a declarative register map."""
from dataclasses import asdict, dataclass

from amaranth import *
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.common.axi.signature import OKAY, SLVERR, AXI4LiteSignature

ACCESSES = ("ro", "rw", "w1c", "pulse")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A named part of a register, for the manifest, the C header and drivers."""
    name: str
    lsb: int
    width: int = 1
    doc: str = ""


@dataclass(frozen=True, kw_only=True)
class Register:
    """One 32-bit word of a register map.

    ``access`` is one of

    - ``ro``: hardware gives the value; a write is refused with SLVERR.
    - ``rw``: software writes it; refused with SLVERR while ``lock`` is high if ``lockable``.
    - ``w1c``: hardware sets bits, software clears those that it writes as 1.
    - ``pulse``: bits written as 1 are high for one cycle; reads as 0.

    ``name`` is UPPER_CASE; ``offset`` in bytes, a multiple of 4; ``width`` 1 to 32, upper bits
    read as 0; ``init`` the value after reset (rw, w1c).
    """
    name: str
    offset: int
    access: str
    width: int = 32
    init: int = 0
    lockable: bool = False
    doc: str = ""
    fields: tuple[Field, ...] = ()

    def __post_init__(self):
        if self.access not in ACCESSES:
            raise ValueError(f"access of register {self.name} must be one of "
                             f"{', '.join(ACCESSES)}, not {self.access!r}")
        if self.offset % 4 or self.offset < 0:
            raise ValueError(f"offset of register {self.name} must be a multiple of 4, "
                             f"not {self.offset:#x}")
        if not 1 <= self.width <= 32:
            raise ValueError(f"width of register {self.name} must be 1 to 32, not {self.width}")

    @property
    def member(self):
        """The name of the register's members in ``LiteRegs``."""
        return self.name.lower()

    def __iter__(self):
        """Name, offset, access, doc: what the manifest and the C header show."""
        return iter((self.name, self.offset, self.access, self.doc))

    def as_dict(self):
        """Plain values, for JSON."""
        return asdict(self)


def check_register_map(registers, addr_bits):
    """Raise ValueError if two registers share a name or an offset, or one does not fit."""
    names, offsets = set(), {}
    for register in registers:
        if register.member in ("bus", "lock"):
            raise ValueError(f"a register cannot be called {register.name}")
        if register.name in names:
            raise ValueError(f"register {register.name} is there twice")
        if register.offset in offsets:
            raise ValueError(f"registers {offsets[register.offset]} and {register.name} share "
                             f"offset {register.offset:#x}")
        if register.offset >= 1 << addr_bits:
            raise ValueError(f"offset {register.offset:#x} of register {register.name} does not "
                             f"fit {addr_bits} address bits")
        names.add(register.name)
        offsets[register.offset] = register.name


def _members(register):
    name, shape = register.member, register.width
    if register.access == "ro":
        return {name: In(shape)}
    if register.access == "w1c":
        return {name: Out(shape, init=register.init), f"{name}_set": In(shape)}
    return {name: Out(shape, init=register.init if register.access == "rw" else 0)}


class LiteRegs(wiring.Component):
    """AXI4-Lite slave with the registers of a map.

    One access at a time in each direction. A write is taken in the cycle in which AW and W are
    both valid and no B is pending; the register (or the pulse) shows its new value in the next
    cycle, as does B. A read gives the values of the cycle in which AR was taken, in the next.
    Unmapped or misaligned offsets, writes to ``ro`` and locked registers: SLVERR, no effect,
    data 0. Byte strobes are honoured. Hardware setting a w1c bit wins over software clearing it.

    Parameters
    ----------
    registers : iterable of Register
    addr_bits : int
        Bits of the byte offset.

    Members
    -------
    bus : In(AXI4LiteSignature(addr_bits))
    lock : In(1)
        Refuses writes to registers that are ``lockable``.
    <name> : In(width) if ``ro``, else Out(width)
        One per register, in lower case.
    <name>_set : In(width)
        Bits to set, for ``w1c``.
    """
    def __init__(self, registers, addr_bits=12):
        self.register_map = tuple(registers)
        check_register_map(self.register_map, addr_bits)
        members = {"bus": In(AXI4LiteSignature(addr_bits)), "lock": In(1)}
        for register in self.register_map:
            members |= _members(register)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m):
        aw, w, b = self.bus.aw, self.bus.w, self.bus.b
        fire, good, mask = Signal(), Signal(), Signal(32)
        m.d.comb += [
            fire.eq(aw.valid & w.valid & ~b.valid),
            aw.ready.eq(fire),
            w.ready.eq(fire),
            mask.eq(Cat(bit.replicate(8) for bit in w.payload.strb)),
        ]
        with m.If(fire):
            m.d.sync += [b.valid.eq(1), b.payload.resp.eq(Mux(good, OKAY, SLVERR))]
        with m.Elif(b.ready):
            m.d.sync += b.valid.eq(0)
        hits = {r.name: Signal(name=f"write_{r.member}") for r in self.register_map}
        for register in self.register_map:
            self._update(m, register, fire & hits[register.name], mask)
        with m.Switch(aw.payload.addr):
            for register in self.register_map:
                if register.access != "ro":
                    with m.Case(register.offset):
                        free = ~self.lock if register.lockable else 1
                        m.d.comb += [good.eq(free), hits[register.name].eq(free)]

    def _update(self, m, register, hit, mask):
        if register.access == "ro":
            return
        value = getattr(self, register.member)
        written = (self.bus.w.payload.data & mask)[:register.width]
        if register.access == "rw":
            with m.If(hit):
                m.d.sync += value.eq((value & ~mask) | written)
        elif register.access == "w1c":
            cleared = written & hit.replicate(register.width)
            m.d.sync += value.eq((value & ~cleared) | getattr(self, register.member + "_set"))
        else:
            m.d.sync += value.eq(written & hit.replicate(register.width))

    def _read(self, m):
        ar, r = self.bus.ar, self.bus.r
        m.d.comb += ar.ready.eq(~r.valid)
        with m.If(ar.valid & ar.ready):
            m.d.sync += [r.valid.eq(1), r.payload.resp.eq(SLVERR), r.payload.data.eq(0)]
            with m.Switch(ar.payload.addr):
                for register in self.register_map:
                    value = 0 if register.access == "pulse" else getattr(self, register.member)
                    with m.Case(register.offset):
                        m.d.sync += [r.payload.resp.eq(OKAY), r.payload.data.eq(value)]
        with m.Elif(r.ready):
            m.d.sync += r.valid.eq(0)
