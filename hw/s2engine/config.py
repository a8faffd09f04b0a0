"""Parameters of S² Engine (Yang et al.) and what follows from them."""

from dataclasses import dataclass

from hw.common.stationary.config import VALUE_BITS, StationaryConfig


@dataclass(frozen=True, kw_only=True)
class S2Config(StationaryConfig):
    """One S² Engine. Counts in elements, widths in bits. With ``mixed`` MACs have the 9 x 9
    multiplier and three shifts."""

    w_depth: int = 4  # W-FIFO, F-FIFO and WF-FIFO of each DS, in tokens and pairs
    f_depth: int = 4
    wf_depth: int = 4
    ratio: int = 4  # DS cycles per MAC cycle

    def __post_init__(self):
        super().__post_init__()
        for name in ("w_depth", "f_depth", "wf_depth"):
            if not 1 <= getattr(self, name) <= 64:
                raise ValueError(f"{name} must be 1 to 64, not {getattr(self, name)}")
        if self.ratio not in (1, 2, 4, 8):
            raise ValueError(f"ratio must be 1, 2, 4 or 8, not {self.ratio}")

    @property
    def operand_bits(self):
        """An operand of the multiplier: the low half of 16 bits is unsigned."""
        return VALUE_BITS + self.mixed

    @property
    def pair_bits(self):
        """An entry of the WF-FIFO: two operands, their shift, pair and last."""
        return 2 * self.operand_bits + 2 * self.mixed + 2

    @property
    def fifo_bits(self):
        """Bits of a PE's three FIFOs (Table V counts 43 at depth 1, 8-bit data only)."""
        return (self.w_depth * self.weight_bits + self.f_depth * self.feature_bits
                + self.wf_depth * self.pair_bits)


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
