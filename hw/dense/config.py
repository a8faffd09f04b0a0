"""Parameters of the naive systolic array as a whole machine (Yang et al., Fig. 1)."""

from dataclasses import dataclass

from hw.common.stationary.config import StationaryConfig


@dataclass(frozen=True, kw_only=True)
class NaiveConfig(StationaryConfig):
    """S² Engine's machine around an array that multiplies everything: the same grid, mapping,
    buffers, edges and bus. `clk` is the MACs' clock."""

    naive = True

    def __post_init__(self):
        super().__post_init__()
        if self.mixed:
            raise ValueError("mixed must be false: the naive array has 8-bit data")
        if self.group & self.group - 1:
            raise ValueError(f"group must be a power of two, not {self.group}")


PRESETS = {
    # Section 5.2: as S² Engine's, with 2 MB of FB and WB.
    "paper": NaiveConfig(fb_tokens=65536, wb_tokens=65536),
    "paper-32": NaiveConfig(rows=32, cols=32, fb_tokens=32768, wb_tokens=32768, memory_bits=256),
    "small": NaiveConfig(rows=4, cols=4, fb_tokens=2048, wb_tokens=4096, max_kernels=64,
                         pool_groups=64, memory_bits=64),
    "tiny": NaiveConfig(rows=3, cols=5, group=4, fb_tokens=300, wb_tokens=400, max_kernels=24,
                        pool_groups=30, memory_bits=64),
}
