"""Parameters of TNPU (Li et al., ASP-DAC 2019, Section 4.1) and what follows from them."""

from dataclasses import dataclass
from enum import IntEnum

BLOCK = 16      # channels that every layer's order of additions takes together, on any grid
BURST = 16      # beats of a burst at most
IN_FLIGHT = 8   # bursts under way at most, each way


class Cause(IntEnum):
    """What a unit does in a cycle; exactly one holds."""

    IDLE = 0            # no instruction has come, or all are done
    MULTIPLY = 1        # an issue that multiplies
    OTHER = 2           # an issue that does not
    LATENCY = 3         # an instruction is under way without an issue: it fills, waits or empties
    WAIT = 4            # the next instruction's tokens are not all there


CAUSES = tuple(cause.name.lower() for cause in Cause)       # PE-cycles


@dataclass(frozen=True, kw_only=True)
class TNPUConfig:
    """One TNPU instance. Buffers in words of `lanes` fp32 values, latencies in cycles."""

    lanes: int = 16             # columns of the grid
    rows_c: int = 0             # rows of PU-c; 0: as many as columns
    rows_f: int = 1             # rows of PU-f
    slots: int = 32             # local sums per PE
    mul_latency: int = 3
    add_latency: int = 4
    x_words_c: int = 8192       # PU-c's neuron buffer: the row operand
    w_words_c: int = 8192       # PU-c's synapse buffer: the column operand
    s_words_c: int = 4096       # PU-c's neuron buffer for sums, each of its two banks
    x_words_f: int = 2048
    w_words_f: int = 4096
    s_words_f: int = 2048
    semaphores: int = 32        # tokens between instructions
    queue_depth: int = 8        # instructions decoded ahead, per unit
    rate_beats: int = 171       # the memory bus: so many beats ...
    rate_cycles: int = 256      # ... in so many cycles, reads and writes together
    share_c: int = 128          # of 256 parts of the bus PU-c's own, where programs divide it
    addr_bits: int = 32

    def __post_init__(self):
        if self.lanes not in (2, 4, 8, 16):
            raise ValueError(f"lanes must be 2, 4, 8 or 16, not {self.lanes}")
        for name, low, high in (("slots", 2, 256), ("mul_latency", 1, 6), ("add_latency", 1, 6),
                                ("semaphores", 2, 32), ("queue_depth", 2, 64),
                                ("addr_bits", 16, 64)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {getattr(self, name)}")
        for unit, rows in (("c", self.rows_c or self.lanes), ("f", self.rows_f)):
            if rows not in (1, 2, 4, 8, 16) or rows > self.lanes:
                raise ValueError(f"rows_{unit} must be a power of two up to lanes ({self.lanes}), "
                                 f"not {rows}")
        for kind in "xws":
            for unit in "cf":
                name = f"{kind}_words_{unit}"
                words = getattr(self, name)
                if not 2 * self.lanes <= words <= 1 << 16 or words % self.lanes:
                    raise ValueError(f"{name} must be a multiple of lanes ({self.lanes}) from "
                                     f"{2 * self.lanes} to 65536, not {words}")
        for name, most in (("x_words_c", (1 << 16) * self.rows("c") // self.lanes),
                           ("x_words_f", (1 << 16) // self.lanes)):
            if getattr(self, name) > most:
                raise ValueError(f"{name} must be at most {most}: X is addressed in 16 bits, by "
                                 f"{'rows' if name[-1] == 'c' else 'values'}, not "
                                 f"{getattr(self, name)}")
        if not 1 <= self.rate_beats <= self.rate_cycles <= 4096:
            raise ValueError(f"rate_beats must be 1 to rate_cycles ({self.rate_cycles}), and that "
                             f"at most 4096, not {self.rate_beats}")
        if not 1 <= self.share_c <= 255:
            raise ValueError(f"share_c must be 1 to 255, not {self.share_c}")

    @property
    def memory_bits(self):
        """A beat is a word."""
        return 32 * self.lanes

    @property
    def word_bytes(self):
        return 4 * self.lanes

    @property
    def multipliers(self):
        """PU-c and PU-f."""
        return (self.rows("c") + self.rows("f")) * self.lanes

    @property
    def slot_distance(self):
        """Cycles between two additions to the same local sum."""
        return self.add_latency + 1

    def rows(self, unit):
        """Rows of PEs of unit "c" or "f"."""
        return (self.rows_c or self.lanes) if unit == "c" else self.rows_f

    def x_units(self, unit):
        """Addresses of X to a word: X is addressed in units of a value for each row."""
        return self.lanes // self.rows(unit)

    def words(self, unit):
        """Words of X, W and of each bank of S."""
        return tuple(getattr(self, f"{kind}_words_{unit}") for kind in "xws")

    def min_pass(self, unit):
        """Cycles until a sum that entered the chain can enter it again."""
        return 3 + self.mul_latency + self.rows(unit) * self.add_latency


PRESETS = {
    # 17 x 16 PEs, DDR3-2133 at 400 MHz; the buffers are ours (README).
    "paper": TNPUConfig(),
    # Trains the digits in a simulator.
    "small": TNPUConfig(lanes=4, slots=12, x_words_c=1024, w_words_c=4096, s_words_c=512,
                        x_words_f=512, w_words_f=1024, s_words_f=256),
    # As small as it gets.
    "tiny": TNPUConfig(lanes=2, slots=5, mul_latency=2, add_latency=3, x_words_c=2048,
                       w_words_c=4096, s_words_c=1024, x_words_f=512, w_words_f=4096, s_words_f=256,
                       semaphores=24, queue_depth=3, rate_beats=3, rate_cycles=5),
}
