"""Parameters of SCNN (Parashar et al., ISCA 2017, Table II) and what follows from them."""

from dataclasses import dataclass


def _bits(count):
    """Bits that number `count` things, at least one."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True, kw_only=True)
class SCNNConfig:
    """One SCNN instance. Counts in elements, widths in bits."""

    pe_rows: int = 8
    pe_cols: int = 8
    mults_f: int = 4  # F: weights per vector
    mults_i: int = 4  # I: activations per vector
    acc_banks: int = 32  # A; the XOR fold of the address wants a power of two
    acc_entries: int = 32  # partial sums per bank and buffer
    data_bits: int = 16
    acc_bits: int = 24
    index_bits: int = 4  # run lengths in both compressed formats
    ram_elements: int = 4096  # IARAM and OARAM each
    max_channels: int = 1024  # channels (stride phases count) that one PE can hold
    fifo_entries: int = 50  # weight FIFO, in vectors of F
    weight_bus: int = 5  # F-entries that the broadcast carries per cycle
    queue_depth: int = 4  # products per multiplier and bank parity, before the crossbar
    max_kc: int = 64  # output channels of one group
    max_kernel: int = 11  # kernel rows after the split by stride
    memory_bits: int = 512
    addr_bits: int = 32
    kc: int = 8  # output channels of a group; 0 or "auto": what the cycle model finds fastest

    WORDS = {"kc": {"auto": 0}}  # noqa: RUF012 (no field: what a parameter may be called)

    def __post_init__(self):
        for name in ("pe_rows", "pe_cols", "mults_f", "mults_i", "acc_entries", "max_channels",
                     "weight_bus", "queue_depth", "max_kc", "max_kernel"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.acc_banks < 2 or self.acc_banks & (self.acc_banks - 1):
            raise ValueError(
                f"acc_banks must be a power of two of at least 2, not {self.acc_banks}")
        if not 2 <= self.data_bits <= 16:
            raise ValueError(f"data_bits must be 2 to 16, not {self.data_bits}")
        if not self.data_bits <= self.acc_bits <= 48:
            raise ValueError(f"acc_bits must be data_bits ({self.data_bits}) to 48, "
                             f"not {self.acc_bits}")
        if not 1 <= self.index_bits <= 8:
            raise ValueError(f"index_bits must be 1 to 8, not {self.index_bits}")
        if self.ram_elements < self.mults_i or self.ram_elements % self.mults_i:
            raise ValueError(f"ram_elements must be a multiple of mults_i ({self.mults_i}), "
                             f"not {self.ram_elements}")
        if self.fifo_entries < 2 * self.weight_bus or self.fifo_entries % self.weight_bus:
            raise ValueError(f"fifo_entries must be a multiple of weight_bus ({self.weight_bus}) "
                             f"and hold at least two lines, not {self.fifo_entries}")
        if self.slot_bits < self.acc_bits:
            raise ValueError(f"a slot of max(mults_f, mults_i) elements has {self.slot_bits} bits, "
                             f"acc_bits ({self.acc_bits}) must fit into it")
        if self.memory_bits not in (64, 128, 256, 512, 1024):
            raise ValueError(f"memory_bits must be 64, 128, 256, 512 or 1024, "
                             f"not {self.memory_bits}")
        if self.pes > 255 * 255 or self.pe_rows > 32 or self.pe_cols > 32:
            raise ValueError(f"at most 32 rows and columns of PEs, "
                             f"not {self.pe_rows} by {self.pe_cols}")
        if not 0 <= self.kc <= self.max_kc:
            raise ValueError(f"kc must be 0 (automatic) to max_kc ({self.max_kc}), not {self.kc}")
        if self.max_kernel > 15:
            raise ValueError(f"max_kernel must be at most 15, not {self.max_kernel}")

    @property
    def pes(self):
        return self.pe_rows * self.pe_cols

    @property
    def multipliers(self):
        """F x I x PEs."""
        return self.pes * self.lanes

    @property
    def lanes(self):
        """Products per PE and cycle."""
        return self.mults_f * self.mults_i

    @property
    def acc_depth(self):
        """Partial sums per PE and buffer."""
        return self.acc_banks * self.acc_entries

    @property
    def acc_addr_bits(self):
        return _bits(self.acc_depth)

    @property
    def bank_bits(self):
        return self.acc_banks.bit_length() - 1

    @property
    def entry_bits(self):
        return _bits(self.acc_entries)

    @property
    def ram_rows(self):
        """Rows of I elements in IARAM and OARAM each."""
        return self.ram_elements // self.mults_i

    @property
    def row_bits(self):
        """Address bits of an activation RAM row."""
        return _bits(self.ram_rows)

    @property
    def channel_bits(self):
        return _bits(self.max_channels)

    @property
    def element_bits(self):
        """A compressed element: value and run."""
        return self.data_bits + self.index_bits

    @property
    def slot_elements(self):
        """Elements of one slot of a line: a weight vector or an activation row."""
        return max(self.mults_f, self.mults_i)

    @property
    def slot_bits(self):
        return self.slot_elements * self.element_bits

    @property
    def biases_per_slot(self):
        return self.slot_bits // self.acc_bits

    @property
    def fifo_lines(self):
        return self.fifo_entries // self.weight_bus

    @property
    def line_payload_bits(self):
        """Line header (40), slot headers (8 each) and slots; the CRC comes on top."""
        return 40 + self.weight_bus * (8 + self.slot_bits)

    @property
    def line_bits(self):
        """A line in memory, CRC-32 included, padded to whole beats."""
        beats = -(-(self.line_payload_bits + 32) // self.memory_bits)
        return beats * self.memory_bits

    @property
    def line_beats(self):
        return self.line_bits // self.memory_bits


PRESETS = {
    # Table II; broadcast 50 GB/s at 1 GHz = 5 entries of 4 x 20 bits.
    "paper": SCNNConfig(),
    # The digits demo: 8x8 images.
    "demo": SCNNConfig(pe_rows=2, pe_cols=2),
    # A layer in Icarus within seconds.
    "small": SCNNConfig(pe_rows=2, pe_cols=2, mults_f=2, mults_i=2, acc_banks=8, acc_entries=32,
                        ram_elements=512, max_channels=64, fifo_entries=12, weight_bus=2,
                        max_kc=16, memory_bits=128, kc=4),
    # Nothing square, nothing a power of two where it need not be.
    "tiny": SCNNConfig(pe_rows=1, pe_cols=3, mults_f=3, mults_i=2, acc_banks=4, acc_entries=45,
                       data_bits=8, acc_bits=20, index_bits=2, ram_elements=130, max_channels=50,
                       fifo_entries=9, weight_bus=3, queue_depth=2, max_kc=6, memory_bits=64, kc=3),
}
