"""CRC-32 (IEEE 802.3, zlib's) over wide words, as expressions.

The register form used here is zlib's inner one: it starts as ``INIT``, a step absorbs a word least
significant byte first, and the CRC of what was absorbed is the register's inverse. Absorbing a
message and then its CRC leaves ``RESIDUE``, whatever the message was.
"""
from functools import lru_cache

from amaranth.hdl import Cat, Const, Value
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC

INIT = 0xFFFF_FFFF
RESIDUE = 0xDEBB_20E3
_POLYNOMIAL = int(f"{CRC32_ISO_HDLC.polynomial:032b}"[::-1], 2)      # reflected


def _absorb_zero(register):
    """The register after absorbing one bit that is 0."""
    return register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)


@lru_cache(maxsize=32)
def _rows(width):
    """For each bit of the next register, the mask over ``Cat(register, data)`` that it sums."""
    columns = [_POLYNOMIAL]                  # what each bit of data contributes, last bit first
    while len(columns) < width:
        columns.append(_absorb_zero(columns[-1]))
    columns.reverse()
    register = [1 << i for i in range(32)]
    for _ in range(width):
        register = [_absorb_zero(bit) for bit in register]
    columns = register + columns
    return tuple(sum((column >> row & 1) << i for i, column in enumerate(columns))
                 for row in range(32))


def crc32_step(register, data):
    """The register after absorbing ``data`` (any whole number of bytes).

    Parameters
    ----------
    register : ValueLike, 32 bits
        ``INIT`` (an int) at the beginning of a message.
    data : ValueLike

    Returns
    -------
    Value
        32 bits; one masked parity per bit. Used more than once, it belongs into a Signal.
    """
    data = Value.cast(data)
    if len(data) % 8 or not len(data):
        raise ValueError(f"a CRC takes whole bytes, not {len(data)} bits")
    if isinstance(register, int):
        register = Const(register, 32)
    word = Cat(register, data)
    return Cat((word & Const(mask, len(word))).xor() for mask in _rows(len(data)))
