"""Parameters of Cambricon-S (Zhou et al., MICRO 2018) and what follows from them.

The sizes of the preset `paper` are recalled, not read: the text that can be had lost its digits.
"""

from dataclasses import dataclass


def _bits(count):
    """Bits that number `count` things, at least one."""
    return max(1, (count - 1).bit_length())


WIDTHS = (1, 2, 4, 8, 16)       # bits of a synapse in the SB
ENTRIES = 256                   # of a codebook: indices of 8 bits


@dataclass(frozen=True, kw_only=True)
class CambriconSConfig:
    """One Cambricon-S instance. Buffers in bytes, both sides together; widths in bits."""

    tm: int = 16                # PEs: output neurons side by side
    tn: int = 16                # multipliers per PE: neurons per vector
    data_bits: int = 16         # of a neuron, and of a synapse that is looked up
    acc_bits: int = 48
    window: int = 256           # neurons that NSM sees at once
    nsm_steps: int = 4          # steps of NSM's log-shifters between two registers
    sb_view: int = 2            # SB words that SSM sees at once
    nbin_bytes: int = 8192
    nbout_bytes: int = 8192
    sib_bytes: int = 1024       # of each index
    sb_bytes: int = 2048        # per PE
    ib_words: int = 64          # instructions
    queue_words: int = 4        # instructions that wait before each unit
    table_bits: int = 10        # intervals of sigmoid and tanh
    shared_index: bool = True   # False: an index per PE, as Cambricon-X
    memory_bits: int = 512
    addr_bits: int = 32

    def __post_init__(self):
        for name in ("tm", "tn", "window", "nsm_steps", "ib_words", "queue_words"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("tn", "sb_view"):
            value = getattr(self, name)
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        if self.tm > 256 or self.tn > 256:
            raise ValueError(f"tm and tn must be at most 256, not {self.tm} and {self.tn}")
        if self.data_bits not in (2, 4, 8, 16):
            raise ValueError(f"data_bits must be 2, 4, 8 or 16, not {self.data_bits}")
        if not 2 * self.data_bits <= self.acc_bits <= 64:
            raise ValueError(f"acc_bits must be 2 · data_bits ({2 * self.data_bits}) to 64, "
                             f"not {self.acc_bits}")
        if self.window % self.tn or self.window & (self.window - 1):
            raise ValueError(f"window must be a power of two and at least tn ({self.tn}), "
                             f"not {self.window}")
        if not self.shared_index and self.tm & (self.tm - 1):
            raise ValueError(f"tm must be a power of two where each PE has an index of its own, "
                             f"not {self.tm}")
        if not 4 <= self.table_bits <= 14:
            raise ValueError(f"table_bits must be 4 to 14, not {self.table_bits}")
        if self.ib_words < 4 or self.ib_words % 2:
            raise ValueError(f"ib_words must be even and at least 4, not {self.ib_words}")
        for name, unit in (("nbin_bytes", self.nbin_banks * self.granule_bits),
                           ("sib_bytes", self.window),
                           ("sb_bytes", self.sb_word_bits * self.sb_view),
                           ("nbout_bytes", self.tm * self.acc_bits)):
            if getattr(self, name) * 8 < 2 * unit:
                raise ValueError(f"{name} must hold a word of {unit} bits on each side, "
                                 f"not {getattr(self, name)}")
        if self.memory_bits not in (64, 128, 256, 512, 1024):
            raise ValueError(f"memory_bits must be 64, 128, 256, 512 or 1024, "
                             f"not {self.memory_bits}")

    @property
    def multipliers(self):
        return self.tm * self.tn

    @property
    def selectors(self):
        """NSMs: one for all PEs, or one for each."""
        return 1 if self.shared_index else self.tm

    @property
    def index_bits(self):
        """A SIB word: a window's bits for every selector."""
        return self.window * self.selectors

    @property
    def granule_bits(self):
        """Tn neurons: what NBin's addresses count."""
        return self.tn * self.data_bits

    @property
    def window_granules(self):
        return self.window // self.tn

    @property
    def beat_bytes(self):
        return self.memory_bits // 8

    @property
    def nbin_banks(self):
        """A window is read, and a beat written, in one cycle."""
        return max(self.window_granules, self.memory_bits // self.granule_bits)

    @property
    def nbin_granules(self):
        """Of a side; a whole number in each bank."""
        return self.nbin_bytes * 4 // (self.nbin_banks * self.granule_bits) * self.nbin_banks

    @property
    def sib_words(self):
        """Windows whose index a side holds."""
        return self.sib_bytes * 4 // self.window

    @property
    def sb_word_bits(self):
        return self.tn * 16

    @property
    def sb_words(self):
        """Of a side of a PE; whole views."""
        return self.sb_bytes * 4 // (self.sb_word_bits * self.sb_view) * self.sb_view

    @property
    def nbout_vectors(self):
        """Vectors of Tm sums that a side holds."""
        return self.nbout_bytes * 4 // (self.tm * self.acc_bits)

    @property
    def book_rows(self):
        """Beats of a codebook."""
        return ENTRIES * self.data_bits // self.memory_bits

    @property
    def sb_beats(self):
        """Beats of a row of SB words, one for each PE."""
        return -(-self.tm * self.sb_word_bits // self.memory_bits)

    @property
    def bias_beats(self):
        """Beats of Tm biases of 64 bits."""
        return -(-self.tm * 64 // self.memory_bits)

    @property
    def sb_addr_bits(self):
        return _bits(self.sb_words)

    @property
    def target_bits(self):
        """Number a segment's synapses: at most all bits of an SB side."""
        return _bits(self.sb_words * self.sb_word_bits)

    @property
    def offset_bits(self):
        """Number the synapses in view."""
        return _bits(self.sb_view * self.sb_word_bits)

    @property
    def window_bits(self):
        return _bits(self.window)

    @property
    def lane_bits(self):
        return _bits(self.tn)


PRESETS = {
    "paper": CambriconSConfig(),
    # A layer in Icarus within seconds.
    "small": CambriconSConfig(tm=4, tn=4, acc_bits=40, window=16, nbin_bytes=1024,
                              nbout_bytes=512, sib_bytes=64, sb_bytes=256, ib_words=8,
                              memory_bits=128),
    # Nothing alike: more PEs than lanes, one granule more than a view, 8-bit neurons.
    "tiny": CambriconSConfig(tm=3, tn=2, data_bits=8, acc_bits=24, window=8, nsm_steps=1,
                             sb_view=1, nbin_bytes=128, nbout_bytes=100, sib_bytes=8,
                             sb_bytes=64, ib_words=4, table_bits=6, memory_bits=64),
}
