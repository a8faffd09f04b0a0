"""A register map with each kind of register, as a component and as plain values for a bench."""
from hw.common.axi.lite_regs import LiteRegs, Register

REGISTERS = (
    Register(name="GIVEN", offset=0x0, access="ro", width=7),
    Register(name="WORD", offset=0x4, access="rw"),
    Register(name="SMALL", offset=0x8, access="rw", width=11, init=0x2a5, lockable=True),
    Register(name="EVENTS", offset=0x10, access="w1c", width=9, init=0x11),
    Register(name="STROBE", offset=0x104, access="pulse", width=3),
)
CONFIG = {"registers": [
    {"name": r.member, "offset": r.offset, "access": r.access, "width": r.width, "init": r.init,
     "lockable": r.lockable} for r in REGISTERS]}


def lite_regs():
    """The register file of that map."""
    return LiteRegs(REGISTERS)
