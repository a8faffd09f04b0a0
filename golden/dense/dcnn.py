"""DCNN, the dense baseline of the SCNN paper (PT-IS-DP-dense): its cycles in closed form.

The output plane is cut into one tile per PE, tile i of P from ⌊i·n/P⌋ on; per cycle a PE takes
one dot product of F·I terms over (C, R, S). Zeros cost what other values cost; memory is free.
"""

from golden.layers import Layer


def largest_tile(side: int, parts: int) -> int:
    """Cells of the largest of `parts` tiles of a side."""
    return max((i + 1) * side // parts - i * side // parts for i in range(parts))


def dcnn_cycles(layer: Layer, pe_rows: int, pe_cols: int, lanes: int) -> int:
    """Cycles of a layer on pe_rows × pe_cols PEs of `lanes` (F·I) multipliers each.

    groups · (K/groups) · max Ht · max Wt · ⌈(C/groups)·R·S / lanes⌉ for each image of the batch.
    An FC layer has one output position: one PE works. A batch of FC vectors is its plane, as
    many images side by side as there are PEs.
    """
    terms = -(-(layer.c // layer.groups) * layer.r * layer.s // lanes)
    if layer.is_fc:
        return layer.k * -(-layer.batch // (pe_rows * pe_cols)) * terms
    tile = largest_tile(layer.ho, pe_rows) * largest_tile(layer.wo, pe_cols)
    return layer.batch * layer.k * tile * terms


def ideal_cycles(macs: int, multipliers: int) -> int:
    """⌈MACs / multipliers⌉: every multiplier busy in every cycle."""
    return -(-macs // multipliers)
