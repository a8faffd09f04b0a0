"""Choosing one of many values."""
from amaranth import *


def select(values, index):
    """``values[index]`` as a binary tree of multiplexers; 0 if there is no such value.

    The same gates as an `Array` or ``word_select``, but in the emitted Verilog a chain of ``?:``
    of which a simulator evaluates one path, where those become comparisons with every index or a
    shift of everything.

    Parameters
    ----------
    values : sequence of values of one shape
        Not empty.
    index : unsigned value
    """
    values = list(values)
    index = Value.cast(index)
    if not values:
        raise ValueError("values to select from must be at least 1, not 0")
    for bit in index:
        if len(values) % 2:
            values.append(Const(0, Value.cast(values[0]).shape()))
        values = [Mux(bit, high, low) for low, high in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def select_bit(bits, index, *, word=32):
    """``bits[index]`` of a long value, word by word; 0 beyond its end. ``word`` is a power of 2."""
    bits, index = Value.cast(bits), Value.cast(index)
    low = word.bit_length() - 1
    words = [bits[n:n + word] for n in range(0, len(bits), word)]
    words[-1] = Cat(words[-1], Const(0, word - len(words[-1])))
    return select(words, index[low:]).bit_select(index[:low], 1)
