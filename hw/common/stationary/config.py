"""Parameters of the machine around an output-stationary array, and what follows from them."""

from dataclasses import dataclass

VALUE_BITS = 8  # of a token; a value of 16 bits is two tokens
LINE_HEADER_BITS = 16  # of a line of weights: column, tokens, the last line of a column


def _bits(count):
    """Bits that number `count` things, at least one."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True, kw_only=True)
class StationaryConfig:
    """One machine. Counts in elements, widths in bits."""

    rows: int = 16  # output pixels side by side
    cols: int = 16  # kernels side by side
    group: int = 16  # channels of a group
    mixed: bool = False  # values of 16 bits too: a tag bit
    acc_bits: int = 32
    fb_tokens: int = 16384  # feature tokens of each row's bank of FB
    wb_tokens: int = 16384  # weight tokens of each column's bank of WB
    max_kernels: int = 1024  # of one pass: biases that an edge holds
    pool_groups: int = 2048  # groups of pooled outputs under way
    memory_bits: int = 128
    addr_bits: int = 32

    naive = False  # the array takes every channel, zeros too
    ratio = w_depth = f_depth = wf_depth = 1  # of an array without DSs

    def __post_init__(self):
        for name in ("rows", "cols"):
            if not 1 <= getattr(self, name) <= 128:
                raise ValueError(f"{name} must be 1 to 128, not {getattr(self, name)}")
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
    def hold_depth(self):
        """Tokens of a dense group: what a CE holds."""
        return self.group * (1 + self.mixed)

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
