"""Both networks in time: a cycle of every router (hw/mnf/README.md, *Network*).

A flit is one number: kind in bits 2:0, what a PE makes of an event (tiles) in bits 18:3, its
destinations from bit 20 on. A result is the number of a fired pixel, or −1 − node: an `end`.

`before` holds every FIFO's level at the start of the cycle: that decides what is there and what has
space, whatever order routers are looked at in.
"""

from __future__ import annotations

import numpy as np

from golden.jit import borrowed
from hw.mnf.config import MNFConfig

KIND, TILES, DEST = 0, 3, 20        # bits of a flit
MOST_NODES = 40                     # that a flit's number has room for
EAST, SOUTH, CORE = range(3)
NONE = -1 << 40                     # no result
READY = 0                           # column of the PEs: which kinds each takes, a bit each


# Columns of the event network [nodes, columns], whose routers are nodes: the FIFO's head, its level
# now and at the start of the cycle; branches that have the head already; the routers behind E and
# S; the nodes behind E, S, core, a bit each; flits that took each branch; then the FIFO.
(HEAD, COUNT, BEFORE, DONE, NEXT, _, BEHIND, _, _, COPIES, _, _, WORDS) = range(13)
# Columns of the result network: the input that comes first; router and input that it sends to, −1:
# a port, and which; words that it sent; then for each input (from E, from S, of the PE) a FIFO:
# head, level, level at the start, words.
(TURN, TO, TO_INPUT, PORT, MOVED, INPUTS) = range(6)
R_HEAD, R_COUNT, R_BEFORE, R_WORDS = range(4)


def networks(config: MNFConfig) -> tuple[np.ndarray, np.ndarray]:
    """Both, empty. ValueError for a mesh that the model has no room for."""
    if config.nodes > MOST_NODES:
        raise ValueError(f"the model covers meshes of at most {MOST_NODES} nodes, "
                         f"not {config.nodes}")
    cols, rows, nodes, depth = (config.mesh_cols, config.mesh_rows, config.nodes,
                                config.link_fifo)
    starts = [p * rows // config.ports for p in range(config.ports)] + [rows]
    net = np.zeros((nodes, WORDS + depth), np.int64)
    back = np.zeros((nodes, INPUTS + 3 * (R_WORDS + depth)), np.int64)
    net[:, NEXT:NEXT + 2] = back[:, TO] = back[:, PORT] = -1
    for p in range(config.ports):
        for row in range(starts[p], starts[p + 1]):
            for col in range(cols):
                n = row * cols + col
                south = range(n + cols, starts[p + 1] * cols, cols)
                net[n, BEHIND + SOUTH] = sum(1 << at for at in south)
                net[n, NEXT + SOUTH] = n + cols if south else -1
                if row == starts[p] and col + 1 < cols:
                    net[n, NEXT + EAST] = n + 1
                    net[n, BEHIND + EAST] = sum(
                        1 << r * cols + c for r in range(row, starts[p + 1])
                        for c in range(col + 1, cols))
                net[n, BEHIND + CORE] = 1 << n if n else 0
                if col:
                    back[n, TO:PORT] = n - 1, EAST
                elif row > starts[p]:
                    back[n, TO:PORT] = n - cols, SOUTH
                else:
                    back[n, PORT] = p
    return net, back


def roots(config: MNFConfig) -> np.ndarray:
    """The first router of each port."""
    return np.array([p * config.mesh_rows // config.ports * config.mesh_cols
                     for p in range(config.ports)], np.int64)


@borrowed
def begin(net, back):
    """A cycle begins."""
    size = (back.shape[1] - INPUTS) // 3
    for n in range(len(net)):
        net[n, BEFORE] = net[n, COUNT]
        for k in range(3):
            at = INPUTS + k * size
            back[n, at + R_BEFORE] = back[n, at + R_COUNT]


@borrowed
def space(net, node):
    """Whether a router of the event network takes a flit in this cycle."""
    return net[node, BEFORE] < net.shape[1] - WORDS


@borrowed
def push(net, node, flit):
    depth = net.shape[1] - WORDS
    net[node, WORDS + (net[node, HEAD] + net[node, COUNT]) % depth] = flit
    net[node, COUNT] += 1


@borrowed
def step_events(net, pes, arrived):
    """A cycle of the event network. What a PE got goes to `arrived` [nodes], −1: nothing."""
    depth = net.shape[1] - WORDS
    low = (1 << DEST) - 1
    for n in range(len(net)):
        if net[n, BEFORE] == 0:
            continue
        flit = net[n, WORDS + net[n, HEAD]]
        dest, all_gone = flit >> DEST, True
        for branch in range(3):
            own = dest & net[n, BEHIND + branch]
            if own == 0 or net[n, DONE] >> branch & 1:
                continue
            if branch == CORE:
                free = pes[n - 1, READY] >> (flit & 7) & 1 == 1
            else:
                free = space(net, net[n, NEXT + branch])
            if not free:
                all_gone = False
                continue
            net[n, COPIES + branch] += 1
            net[n, DONE] |= 1 << branch
            if branch == CORE:
                arrived[n] = flit & low
            else:
                push(net, net[n, NEXT + branch], flit & low | own << DEST)
        if all_gone:
            net[n, HEAD] = (net[n, HEAD] + 1) % depth
            net[n, COUNT] -= 1
            net[n, DONE] = 0


@borrowed
def takes_result(back, node, k):
    """Whether an input of a result router takes a word in this cycle."""
    size = (back.shape[1] - INPUTS) // 3
    return back[node, INPUTS + k * size + R_BEFORE] < size - R_WORDS


@borrowed
def offer(back, node, k, word):
    """A word into an input of a result router; there is space."""
    size = (back.shape[1] - INPUTS) // 3
    at = INPUTS + k * size
    place = (back[node, at + R_HEAD] + back[node, at + R_COUNT]) % (size - R_WORDS)
    back[node, at + R_WORDS + place] = word
    back[node, at + R_COUNT] += 1


@borrowed
def step_results(back, ready, came):
    """A cycle of the result network. `ready` [ports]: for pixels, ends are always taken; what a
    port got goes to `came` [ports]."""
    size = (back.shape[1] - INPUTS) // 3
    for n in range(len(back)):
        served = -1
        for k in range(3):
            at = (back[n, TURN] + k) % 3
            if back[n, INPUTS + at * size + R_BEFORE] > 0:
                served = at
                break
        if served < 0:
            continue
        at, to = INPUTS + served * size, back[n, TO]
        word = back[n, at + R_WORDS + back[n, at + R_HEAD]]
        if to < 0:
            free = word < 0 or ready[back[n, PORT]]
        else:
            free = takes_result(back, to, back[n, TO_INPUT])
        back[n, TURN] = served
        if not free:
            continue
        back[n, TURN] = (served + 1) % 3
        back[n, at + R_HEAD] = (back[n, at + R_HEAD] + 1) % (size - R_WORDS)
        back[n, at + R_COUNT] -= 1
        back[n, MOVED] += 1
        if to < 0:
            came[back[n, PORT]] = word
        else:
            offer(back, to, back[n, TO_INPUT], word)
