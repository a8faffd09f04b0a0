"""The fields of a layer descriptor, for hardware (``layouts.py``) and ``golden/scnn`` alike.

Each entry is (name, bits), least significant first; the common part and each tile are whole 32-bit
words. The descriptor is the common part, a tile per PE row, a tile per PE column, and a CRC-32.
"""

COMMON_FIELDS = [
    # where things are, in bytes; lengths in lines
    ("load_addr", 32),
    ("load_lines", 32),
    ("weight_addr", 32),
    ("weight_lines", 32),
    ("store_addr", 32),
    ("store_lines", 32),  # capacity of the region
    # flags
    ("load", 1),
    ("store", 1),
    ("relu", 1),
    ("pool", 2),  # 0 none, 1 max, 2 average
    ("reserved0", 3),
    ("product_shift", 8),
    ("shift", 8),
    ("out_bits", 8),
    ("multiplier", 16),
    ("groups", 16),  # output-channel groups
    ("kc", 16),  # output channels per group: the stride of a position
    ("kc_last", 16),  # output channels of the last group
    # the window of accumulators: window_rows x pitch positions of kc sums
    ("pitch", 16),
    ("window_rows", 16),
    ("row_stride", 16),  # pitch * kc
    ("window_sums", 16),  # window_rows * pitch * kc
    # weights: kernel_row = S' * kc positions per kernel row, then a gap of (pitch - S') * kc
    ("kernel_rows", 16),
    ("kernel_row", 16),
    ("kernel_gap", 16),
    ("origin", 16),  # halo_up * row_stride + halo_left * kc: the own tile's first sum
    # halos, in positions, and hops that each direction takes
    ("halo_left", 8),
    ("halo_right", 8),
    ("halo_up", 8),
    ("halo_down", 8),
    ("hops_left", 8),
    ("hops_right", 8),
    ("hops_up", 8),
    ("hops_down", 8),
    ("overlap_cols", 8),  # columns copied from the right neighbour for pooling
    ("overlap_rows", 8),
    ("pool_kernel", 8),
    ("pool_stride", 8),
    # the consumer's geometry
    ("next_pitch", 16),
    ("next_stride", 8),
    ("next_phases_rows", 8),
    ("next_phases_cols", 8),
    ("out_channels", 16),  # channels in the OARAM: K * phases
    ("next_phases", 16),  # rows times columns of phases
    ("group_channels", 16),  # kc * next_phases
    ("pool_area", 16),  # pool_kernel squared
    # products for the halo links
    ("halo_left_sums", 16),  # halo_left * kc
    ("halo_right_sums", 16),  # halo_right * kc
    ("overlap_sums", 16),  # overlap_cols * kc
    ("reserved1", 24),
    ("reserved2", 16),
]

TILE_FIELDS = [
    ("size", 8),  # rows (columns) of the output tile before pooling
    ("reserved0", 8),
    ("base_sums", 16),  # window row * row_stride (column * kc) at which position 0, offset 0 lands
    ("size_sums", 16),  # size * row_stride (size * kc)
    ("pooled", 8),  # rows (columns) after pooling that this PE owns
    ("limit", 8),  # rows (columns) readable for pooling: own tile and copies, inside the plane
    ("pool_pad", 8),  # pooling windows start this far before the tile
    ("phase", 8),  # consumer's phase of the first pooled row (column)
    ("reserved1", 16),
]
