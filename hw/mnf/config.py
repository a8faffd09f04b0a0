"""Parameters of MNF (Yu et al., "Multiply-and-Fire", Table 3) and what follows from them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MNFConfig:
    """One MNF instance. Memories in words or entries, widths in bits, FIFOs in words."""

    mesh_cols: int = 4
    mesh_rows: int = 3          # one node of the mesh, the north-western, is the storage PE
    ports: int = 3              # of the storage PE into the mesh: events in one cycle
    lanes: int = 27             # multipliers, weights of a word, accumulate SRAM banks of a PE
    max_window: int = 5         # rows and columns of a lane map's window
    max_kernel: int = 11        # rows and columns of a kernel, before it is split by stride
    data_bits: int = 8
    acc_bits: int = 32
    weight_words: int = 25600   # weight SRAM of a PE, in words of `lanes` weights
    # Weight sparsity: 0 is none; else each lane has a list of its non-zero weights, with so many
    # bits beside each for its group of output channels, and tiles have pointers to their words.
    weight_offset_bits: int = 0
    pointer_words: int = 16384
    acc_entries: int = 640      # accumulate SRAM of a PE, sums per bank
    bias_words: int = 1024      # output channels of a PE in one pass
    pool_words: int = 1024      # pooling windows that are open: columns x channels abreast
    event_fifo: int = 4         # router to load module
    vector_fifo: int = 4        # load module to dispatcher, dispatcher to MAC cluster
    link_fifo: int = 2          # of a router, per input
    storage_events: int = 1 << 20   # of a map in the storage PE, per port
    coord_bits: int = 9         # rows and columns of a plane
    channel_bits: int = 16
    memory_bits: int = 128
    addr_bits: int = 32

    def __post_init__(self):
        for name, low, high in (("mesh_cols", 1, 16), ("mesh_rows", 1, 16), ("lanes", 4, 64),
                                ("max_window", 1, 7), ("max_kernel", 1, 11), ("data_bits", 2, 16),
                                ("acc_bits", 8, 48), ("acc_entries", 2, 4096),
                                ("weight_words", 16, 1 << 16),
                                ("weight_offset_bits", 0, 8),
                                ("pointer_words", 16, 1 << 16), ("bias_words", 2, 1 << 16),
                                ("pool_words", 2, 1 << 16), ("event_fifo", 2, 64),
                                ("vector_fifo", 2, 64), ("link_fifo", 2, 64),
                                ("storage_events", 16, 1 << 24), ("coord_bits", 4, 12),
                                ("channel_bits", 4, 20), ("addr_bits", 16, 64)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low} to {high}, not {getattr(self, name)}")
        if self.nodes < 2:
            raise ValueError("mesh_cols × mesh_rows must be at least 2: one node is the storage PE")
        if not 1 <= self.ports <= self.mesh_rows:
            raise ValueError(f"ports must be 1 to mesh_rows ({self.mesh_rows}), not {self.ports}")
        if self.acc_bits < 2 * self.data_bits:
            raise ValueError(f"acc_bits must be at least 2 · data_bits ({2 * self.data_bits}), "
                             f"not {self.acc_bits}")
        if self.memory_bits not in (64, 128, 256, 512, 1024):
            raise ValueError(f"memory_bits must be 64, 128, 256, 512 or 1024, "
                             f"not {self.memory_bits}")

    @property
    def nodes(self):
        """Nodes of the mesh, the storage PE among them."""
        return self.mesh_cols * self.mesh_rows

    @property
    def pes(self):
        return self.nodes - 1

    @property
    def multipliers(self):
        return self.pes * self.lanes

    @property
    def neurons(self):
        """Partial sums that a PE holds (N of equation 1)."""
        return self.lanes * self.acc_entries

    @property
    def weights(self):
        """Weights that a PE holds (W of equations 1 and 2)."""
        return self.lanes * self.weight_words

    @property
    def weight_sparse(self):
        return self.weight_offset_bits > 0

    @property
    def word_bits(self):
        """A word of the weight SRAM."""
        return self.lanes * (self.data_bits + self.weight_offset_bits)

    @property
    def neuron_bits(self):
        """A start neuron address."""
        return (self.neurons - 1).bit_length()

    @property
    def entry_bits(self):
        return (self.acc_entries - 1).bit_length()

    @property
    def lane_bits(self):
        return (self.lanes - 1).bit_length()

    @property
    def weight_bits(self):
        """A weight SRAM address."""
        return (self.weight_words - 1).bit_length()

    @property
    def tap_bits(self):
        """A row or column of a kernel, or a jump."""
        return max(1, (self.max_kernel - 1).bit_length())


PRESETS = {
    # Table 3: 11 PEs and a storage PE; 691,200 bytes of weights and 69,120 of sums in each PE.
    "paper": MNFConfig(),
    # The same bits of weight SRAM, for lists of non-zero weights.
    "paper-sparse": MNFConfig(weight_offset_bits=5, weight_words=15753),
    # A layer in Icarus within seconds: 5 PEs of 9 lanes.
    "small": MNFConfig(mesh_cols=3, mesh_rows=2, ports=2, lanes=9, max_window=3, weight_words=1024,
                       acc_entries=128, bias_words=128, pool_words=128, storage_events=4096,
                       memory_bits=64),
    # As small as it gets; not a power of two, on purpose.
    "tiny": MNFConfig(mesh_cols=3, mesh_rows=1, ports=1, lanes=5, max_window=2, weight_words=600,
                      acc_entries=67, bias_words=40, pool_words=48, event_fifo=2, vector_fifo=2,
                      storage_events=700, memory_bits=64),
}
