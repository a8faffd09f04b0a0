"""The fields of a pass's descriptor, for hardware and ``golden/s2engine`` alike.

(name, bits), least significant first; a CRC-32 follows. ``hw/s2engine/README.md``, *Memory*, has
their meaning.
"""

FIELDS = [
    # bytes and lines
    ("bias_addr", 32),
    ("weight_addr", 32),
    ("feature_addr", 32),
    ("store_addr", 32),
    ("bias_lines", 16),
    ("weight_lines", 32),
    ("group_lines", 32),
    ("row_lines", 24),
    ("residue_lines", 24),
    ("store_group_lines", 32),
    ("store_row_lines", 24),
    # tiles
    ("pixels", 24),
    ("line_pixels", 16),
    ("tiles", 16),
    ("tile_pixels", 8),
    ("tile_more", 16),
    ("kernels", 16),
    ("kernel_tiles", 16),
    ("tile_kernels", 8),
    ("kernels_more", 16),
    # a kernel
    ("channel_groups", 16),
    ("kernel_rows", 8),
    ("kernel_cols", 8),
    ("stride", 8),
    ("groups", 24),  # channel_groups * kernel_rows * kernel_cols
    # what is sent and read how often
    ("f_loads", 16),
    ("f_replays", 16),
    ("w_loads", 24),
    ("w_replays", 24),
    # flags
    ("ce", 1),
    ("w_stream", 1),  # the weights come behind each tile's features
    ("slots", 2),
    ("store_slots", 2),
    ("relu", 1),
    ("pool", 2),  # 0 none, 1 max, 2 average
    ("reserved", 7),
    # results
    ("shift", 8),
    ("out_bits", 8),
    ("multiplier", 16),
    ("pool_k", 8),
    ("pool_stride", 8),
    ("pool_pad", 8),
    ("out_rows", 16),
    ("pooled_rows", 16),
    ("pooled_cols", 16),
    ("pool_area", 16),
    # the buffer of windows under way: cells of a channel group (pool_k lines), those from a line of
    # windows to the next one (in the ring of lines), those before the first line
    ("pool_cells", 16),
    ("pool_step", 16),
    ("pool_first", 16),
]
