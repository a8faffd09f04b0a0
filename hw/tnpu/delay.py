"""A value some cycles later."""
from amaranth import *


def delayed(m, value, cycles, name, reset_less=True):
    """``value`` as it was ``cycles`` before, through registers named after ``name``; 0 at first.

    ``cycles`` may be 0: the value itself. Adds the registers to the module ``m``. ``reset_less``:
    what was under way at a reset goes on, as what belongs to nobody may.
    """
    for k in range(cycles):
        register = Signal(value.shape(), name=f"{name}_{k + 1}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value
