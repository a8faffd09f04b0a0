"""Parameters of S² Engine (Yang et al.) and what follows from them."""

from dataclasses import dataclass

VALUE_BITS = 8  # of a token; a value of 16 bits is two tokens (Section 4.5)


def _bits(count):
    """Bits that number `count` things, at least one."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True, kw_only=True)
class S2Config:
    """One S² Engine. Counts in elements, widths in bits."""

    rows: int = 16  # output pixels side by side
    cols: int = 16  # kernels side by side
    w_depth: int = 4  # W-FIFO, F-FIFO and WF-FIFO of each DS, in tokens and pairs
    f_depth: int = 4
    wf_depth: int = 4
    ratio: int = 4  # DS cycles per MAC cycle
    group: int = 16  # channels of a group
    mixed: bool = False  # values of 16 bits too: a tag bit, the 9 x 9 multiplier, three shifts
    acc_bits: int = 32
    fb_tokens: int = 16384  # feature tokens of each row's bank of FB
    wb_tokens: int = 16384  # weight tokens of each column's bank of WB
    max_kernels: int = 1024  # of one pass: biases that an edge holds
    pool_groups: int = 2048  # groups of pooled outputs under way
    memory_bits: int = 128
    addr_bits: int = 32

    naive = False  # the array of Fig. 1, which takes every channel: hw/dense/config.py

    def __post_init__(self):
        for name in ("rows", "cols"):
            if not 1 <= getattr(self, name) <= 128:
                raise ValueError(f"{name} must be 1 to 128, not {getattr(self, name)}")
        for name in ("w_depth", "f_depth", "wf_depth"):
            if not 1 <= getattr(self, name) <= 64:
                raise ValueError(f"{name} must be 1 to 64, not {getattr(self, name)}")
        if self.ratio not in (1, 2, 4, 8):
            raise ValueError(f"ratio must be 1, 2, 4 or 8, not {self.ratio}")
        if not 2 <= self.group <= 32:
            raise ValueError(f"group must be 2 to 32 channels, not {self.group}")
        if not 2 * VALUE_BITS <= self.acc_bits <= 48:
            raise ValueError(f"acc_bits must be {2 * VALUE_BITS} to 48, not {self.acc_bits}")
        if self.acc_bits < 4 * VALUE_BITS and self.mixed:
            raise ValueError(f"acc_bits must be at least {4 * VALUE_BITS} with mixed precision, "
                             f"not {self.acc_bits}")
        for name in ("fb_tokens", "wb_tokens"):
            if getattr(self, name) < 4 * self.hold_depth:
                raise ValueError(f"{name} must be at least four dense groups "
                                 f"({4 * self.hold_depth}), not {getattr(self, name)}")
        for name in ("max_kernels", "pool_groups"):
            if not 1 <= getattr(self, name) <= 65536:
                raise ValueError(f"{name} must be 1 to 65536, not {getattr(self, name)}")
        if self.memory_bits not in (64, 128, 256, 512, 1024):
            raise ValueError(f"memory_bits must be 64, 128, 256, 512 or 1024, "
                             f"not {self.memory_bits}")
        if not 16 <= self.addr_bits <= 64:
            raise ValueError(f"addr_bits must be 16 to 64, not {self.addr_bits}")

    @property
    def pes(self):
        return self.rows * self.cols

    @property
    def data_bits(self):
        """Of the widest weight or feature."""
        return 2 * VALUE_BITS if self.mixed else VALUE_BITS

    @property
    def offset_bits(self):
        return _bits(self.group)

    @property
    def feature_bits(self):
        """A feature token: value, offset, EOG, and the tag with mixed precision."""
        return VALUE_BITS + self.offset_bits + 1 + self.mixed

    @property
    def weight_bits(self):
        """A weight token: a feature's fields and EOK."""
        return self.feature_bits + 1

    @property
    def operand_bits(self):
        """An operand of the multiplier: the low half of 16 bits is unsigned."""
        return VALUE_BITS + self.mixed

    @property
    def pair_bits(self):
        """An entry of the WF-FIFO: two operands, their shift, pair and last."""
        return 2 * self.operand_bits + 2 * self.mixed + 2

    @property
    def hold_depth(self):
        """Tokens of a dense group: what a CE holds."""
        return self.group * (1 + self.mixed)

    @property
    def fifo_bits(self):
        """Bits of a PE's three FIFOs (Table V counts 43 at depth 1, 8-bit data only)."""
        return (self.w_depth * self.weight_bits + self.f_depth * self.feature_bits
                + self.wf_depth * self.pair_bits)

    @property
    def line_bits(self):
        """A line in memory: a group's worth of feature tokens and the CRC-32, in whole beats."""
        content = max(self.group * self.feature_bits, self.weight_bits + LINE_HEADER_BITS)
        return -(-(content + 32) // self.memory_bits) * self.memory_bits

    @property
    def line_beats(self):
        return self.line_bits // self.memory_bits

    @property
    def line_content_bits(self):
        """All of a line but its CRC-32."""
        return self.line_bits - 32

    @property
    def weights_per_line(self):
        """Weight tokens of a line behind its header."""
        return (self.line_content_bits - LINE_HEADER_BITS) // self.weight_bits

    @property
    def biases_per_line(self):
        return self.line_content_bits // self.acc_bits


LINE_HEADER_BITS = 16  # of a line of weights: column, tokens, the last line of a column


PRESETS = {
    # Section 6: 16 x 16, FIFOs of (4, 4, 4), DS at four times the MAC's clock; FB and WB 1 MB.
    "paper": S2Config(),
    # Section 4.5: 8 and 16 bits, in any mixture.
    "mixed": S2Config(mixed=True),
    # Table V.
    "paper-32": S2Config(rows=32, cols=32, fb_tokens=8192, wb_tokens=8192, memory_bits=256),
    # The digits demo: 8x8 images; the last layer's outputs have 16 bits.
    "demo": S2Config(rows=8, cols=4, mixed=True, fb_tokens=2048, wb_tokens=2048, max_kernels=64,
                     pool_groups=64),
    # A layer in Icarus within seconds.
    "small": S2Config(rows=4, cols=4, mixed=True, fb_tokens=1024, wb_tokens=2048, max_kernels=64,
                      pool_groups=64, memory_bits=64),
    # Nothing square, nothing a power of two where it need not be.
    "tiny": S2Config(rows=3, cols=5, mixed=True, w_depth=3, f_depth=2, wf_depth=1, ratio=2, group=6,
                     fb_tokens=200, wb_tokens=333, max_kernels=24, pool_groups=30, memory_bits=64),
    # The least of everything, 8-bit data only.
    "least": S2Config(rows=2, cols=1, w_depth=1, f_depth=1, wf_depth=1, ratio=1, group=4,
                      acc_bits=20, fb_tokens=64, wb_tokens=64, max_kernels=16,
                      pool_groups=16, memory_bits=64),
}
