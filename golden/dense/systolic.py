"""The naive output-stationary systolic array (Yang et al., Fig. 1): its cycles, exact.

Each PE multiplies in every cycle, zeros or not; features enter at the left, weights at the top,
a cycle later for each row and column. Kernel tile after kernel tile, pixel tile after pixel tile,
as S² Engine maps them. A finished sum moves into the PE's own register and, column after column,
to the right edge, one result per cycle and row, while the next sum builds up; a tile therefore
takes `cols` cycles at least. Memory is free.
"""

from golden.layers import Layer


def systolic_cycles(layer: Layer, rows: int, cols: int, *, overlap: bool = True) -> int:
    """Cycles of a layer, from the first operands in to the last result out at the edge.

    With `overlap` tiles follow each other without a gap; without, each one waits for the last
    result of the one before.
    """
    terms = layer.c // layer.groups * layer.r * layer.s
    images = 1 if layer.is_fc and layer.pool is None else layer.batch
    pixels = layer.ho * layer.wo * (layer.batch // images)
    tiles = -(-pixels // rows) * -(-(layer.k // layer.groups) // cols) * layer.groups * images
    return tiles_cycles(tiles, terms, rows, cols, overlap=overlap)


def tiles_cycles(tiles: int, terms: int, rows: int, cols: int, *, overlap: bool = True) -> int:
    """Cycles of `tiles` sums of `terms` terms in every PE."""
    alone = terms + rows + 2 * cols - 1
    return (tiles - 1) * max(terms, cols) + alone if overlap else tiles * alone

