"""Error codes of every accelerator's ERROR register."""
from enum import IntEnum

FIRST_DESIGN_CODE = 32      # designs number their own codes from here, up to 255


class ErrorCode(IntEnum):
    """Codes that all designs share (1 to 31)."""
    NONE = 0
    READ_SLVERR = 1         # the memory answered a read with SLVERR
    READ_DECERR = 2
    WRITE_SLVERR = 3        # the memory answered a write with SLVERR
    WRITE_DECERR = 4
    READ_WINDOW = 5         # a read outside [WINDOW_BASE, WINDOW_BASE + WINDOW_SIZE)
    WRITE_WINDOW = 6
    READ_MISALIGNED = 7     # an address that is not a multiple of the beat
    WRITE_MISALIGNED = 8
    REGION_OVERFLOW = 9     # more data than the region of a write holds
    DESCRIPTOR_CRC = 10
    LINE_CRC = 11           # a line of the memory image whose CRC is wrong
    BAD_DESCRIPTOR = 12     # a good CRC, but fields that the design cannot run
    WATCHDOG = 13           # nothing moved for the watchdog's number of cycles
    STOPPED = 14            # CONTROL.stop
