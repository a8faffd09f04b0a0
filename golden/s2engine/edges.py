"""The edges, cycle by cycle, compiled: `golden.s2engine.edge` for the cycle model."""

from __future__ import annotations

from golden.jit import borrowed

# An edge: where the next sum belongs; the last stage's tag is in the lowest bits of TAGS, two bits
# each: there is a value, it ends its group; a group is full; one is at the output
COLUMN, KERNEL_TILE, SLOT, TILE, TAGS, FULL, OUT, REGISTERS = range(8)
STAGES = 5


@borrowed
def step(e, row, takes, moves_out, advance, c, group):
    """The edge that ends a cycle of an edge. `takes`: a sum comes; `moves_out`: a group leaves."""
    k, more = c
    if moves_out:
        e[OUT] = 0
    if e[FULL] and advance:
        e[OUT] = 1
    if not advance:
        return
    e[FULL] = e[TAGS] & 3 == 3
    tag = 0
    if takes:
        tile, cols = e[KERNEL_TILE], k[3]
        wide = k[1] + (tile < k[2])
        if e[COLUMN] < wide:
            ends = e[SLOT] == group - 1 or (tile == k[0] - 1 and e[COLUMN] == wide - 1)
            if row < more[0] + (e[TILE] < more[1]):
                tag = 1 + 2 * ends
            e[SLOT] = 0 if ends else e[SLOT] + 1
        e[COLUMN] += 1
        if e[COLUMN] == cols:
            e[COLUMN] = 0
            e[KERNEL_TILE] += 1
            if e[KERNEL_TILE] == k[0]:
                e[KERNEL_TILE] = 0
                e[TILE] += 1
    e[TAGS] = e[TAGS] >> 2 | tag << 2 * (STAGES - 1)
