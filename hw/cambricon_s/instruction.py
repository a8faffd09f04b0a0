"""The fields of instructions and descriptors of Cambricon-S, for hardware and golden alike."""

from .config import CambriconSConfig, _bits

# The VLIW word: for each slot its fields, lowest bits first, and their widths. 0 bits: addr_bits.
# A name instead of a width is that of one of `CHOICES`, in whose order the numbers go.
CHOICES = {
    "buffer": ("nbin", "sib", "sb", "codebook", "bias", "ib", "every"),
    "function": ("none", "relu", "sigmoid", "tanh"),
    "pool": ("none", "max", "average"),
}
INSTRUCTION: dict[str, tuple[tuple[str, int | str], ...]] = {
    "load": (("to", "buffer"), ("side", 1), ("address", 0), ("rows", 12), ("beats", 12),
             ("pitch", 18), ("first", 12), ("granules", 12), ("granule_pitch", 12), ("skip", 8),
             ("checked", 1), ("crc", 32), ("acquire", 1), ("publish", 1)),
    "compute": (("nbin_side", 1), ("nbin_first", 12), ("positions", 8), ("position_step", 12),
                ("outer", 8), ("outer_step", 12), ("inner", 8), ("inner_step", 12), ("run", 16),
                ("sib_side", 1), ("sib_word", 8), ("sb_side", 1), ("sb_word", 8), ("width", 3),
                ("synapses", 14), ("book_side", 1), ("nbout_side", 1), ("nbout_first", 8),
                ("nbout_step", 8), ("dense", 1), ("dynamic", 1), ("own", 1), ("begin", 1),
                ("release_nbin", 1), ("release_sib", 1), ("release_sb", 1), ("release_book", 1),
                ("acquire", 1), ("publish", 1)),
    "store": (("nbout_side", 1), ("nbout_first", 8), ("rows", 8), ("columns", 8), ("row_step", 8),
              ("multiplier", 16), ("shift", 6), ("out_bits", 4), ("function", "function"),
              ("pool", "pool"), ("pool_rows", 4), ("pool_columns", 4), ("pool_s", 4), ("area", 8),
              ("address", 0), ("pixel_pitch", 16), ("row_pitch", 24), ("lanes", 9),
              ("release", 1)),
}

# What runs from one descriptor: a program of so many words, from its first word in side 0 of IB on.
DESCRIPTOR_FIELDS = (("program", 64), ("words", 32))


def field_bits(cfg: CambriconSConfig, width: int | str) -> int:
    """Bits of a field that `INSTRUCTION` gives this width."""
    return _bits(len(CHOICES[width])) if isinstance(width, str) else width or cfg.addr_bits


def slot_bits(cfg: CambriconSConfig, slot: str) -> int:
    """Bits of a slot, the one that says that it is there included."""
    return 1 + sum(field_bits(cfg, width) for _, width in INSTRUCTION[slot])


def word_bits(cfg: CambriconSConfig) -> int:
    """Bits of an instruction, without its line's CRC."""
    return sum(slot_bits(cfg, slot) for slot in INSTRUCTION)


def line_beats(cfg: CambriconSConfig) -> int:
    """Beats of an instruction's line."""
    return -(-(word_bits(cfg) + 32) // cfg.memory_bits)
