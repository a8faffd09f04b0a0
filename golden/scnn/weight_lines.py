"""What the decoder of SCNN makes of a line's run lengths: block positions and linear offsets."""


def offsets(runs, kernel_row, kernel_gap):
    """Linear offsets of a block's elements from their runs (README, "Formats").

    Position = elements before it and their runs; each kernel row of ``kernel_row`` positions is
    followed by a gap of ``kernel_gap``.
    """
    out, position = [], -1
    for run in runs:
        position += run + 1
        out.append(position + position // kernel_row * kernel_gap)
    return out
