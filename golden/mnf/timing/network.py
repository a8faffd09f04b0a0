"""Both networks in time: a cycle of every router (hw/mnf/README.md, *Network*).

A flit is one number: kind in bits 2:0, what a PE makes of an event (tiles) in bits 18:3, its
destinations from bit 20 on. A result is the number of a fired pixel, or −1 − node: an `end`.

`before` holds every FIFO's level at the start of the cycle: that decides what is there and what has
space, whatever order routers are looked at in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import njit
from hw.mnf.config import MNFConfig

KIND, TILES, DEST = 0, 3, 20        # bits of a flit
MOST_NODES = 40                     # that a flit's number has room for
EAST, SOUTH, CORE = range(3)
NONE = -1 << 40                     # no result


class Events(NamedTuple):
    """The multicast network. Routers are nodes."""

    word: np.ndarray        # int64 [nodes, link_fifo]
    head: np.ndarray        # int64 [nodes]
    count: np.ndarray  # type: ignore[assignment]  # int64 [nodes]
    before: np.ndarray
    done: np.ndarray        # int64 [nodes]: branches that have the head already
    next: np.ndarray        # int64 [nodes, 2]: the router behind E, S
    behind: np.ndarray      # int64 [nodes, 3]: nodes behind E, S, core
    root: np.ndarray        # int64 [ports]
    copies: np.ndarray      # int64 [nodes, 3]: flits that took each branch


class Results(NamedTuple):
    """The network back. Inputs of a router: from E, from S, of its PE."""

    word: np.ndarray        # int64 [nodes, 3, link_fifo]
    head: np.ndarray        # int64 [nodes, 3]
    count: np.ndarray  # type: ignore[assignment]  # int64 [nodes, 3]
    before: np.ndarray
    turn: np.ndarray        # int64 [nodes]: the input that comes first
    next: np.ndarray        # int64 [nodes, 2]: router and input that it sends to, −1: a port
    port: np.ndarray        # int64 [nodes]: the port, if so
    moved: np.ndarray       # int64 [nodes]: words that it sent


def networks(config: MNFConfig) -> tuple[Events, Results]:
    """Empty ones. ValueError for a mesh that the model has no room for."""
    if config.nodes > MOST_NODES:
        raise ValueError(f"the model covers meshes of at most {MOST_NODES} nodes, "
                         f"not {config.nodes}")
    cols, rows, nodes, depth = (config.mesh_cols, config.mesh_rows, config.nodes,
                                config.link_fifo)
    starts = [p * rows // config.ports for p in range(config.ports)] + [rows]
    after, behind = np.full((nodes, 2), -1), np.zeros((nodes, 3), np.int64)
    back, port = np.full((nodes, 2), -1), np.full(nodes, -1)
    for p in range(config.ports):
        for row in range(starts[p], starts[p + 1]):
            for col in range(cols):
                n = row * cols + col
                south = range(n + cols, starts[p + 1] * cols, cols)
                behind[n, SOUTH] = sum(1 << at for at in south)
                after[n, SOUTH] = n + cols if south else -1
                if row == starts[p] and col + 1 < cols:
                    after[n, EAST] = n + 1
                    behind[n, EAST] = sum(1 << r * cols + c for r in range(row, starts[p + 1])
                                          for c in range(col + 1, cols))
                behind[n, CORE] = 1 << n if n else 0
                if col:
                    back[n] = n - 1, EAST
                elif row > starts[p]:
                    back[n] = n - cols, SOUTH
                else:
                    port[n] = p

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.int64)

    events = Events(zeros(nodes, depth), zeros(nodes), zeros(nodes), zeros(nodes), zeros(nodes),
                    after.astype(np.int64), behind,
                    np.array([start * cols for start in starts[:-1]], np.int64), zeros(nodes, 3))
    results = Results(zeros(nodes, 3, depth), zeros(nodes, 3), zeros(nodes, 3), zeros(nodes, 3),
                      zeros(nodes), back.astype(np.int64), port.astype(np.int64), zeros(nodes))
    return events, results


@njit
def space(net, node):
    """Whether a router of the event network takes a flit in this cycle."""
    return net.before[node] < net.word.shape[1]


@njit
def push(net, node, flit):
    depth = net.word.shape[1]
    net.word[node, (net.head[node] + net.count[node]) % depth] = flit
    net.count[node] += 1


@njit
def step_events(net, ready, arrived):
    """A cycle of the event network. `ready` [nodes, 2]: whether a PE takes an event or END, a
    BIAS, anything else (columns); what it got goes to `arrived` [nodes], −1: nothing."""
    depth = net.word.shape[1]
    low = (1 << DEST) - 1
    for n in range(len(net.head)):
        if net.before[n] == 0:
            continue
        flit = net.word[n, net.head[n]]
        dest, all_gone = flit >> DEST, True
        for branch in range(3):
            own = dest & net.behind[n, branch]
            if own == 0 or net.done[n] >> branch & 1:
                continue
            if branch == CORE:
                free = ready[n, flit & 7]
            else:
                free = space(net, net.next[n, branch])
            if not free:
                all_gone = False
                continue
            net.copies[n, branch] += 1
            net.done[n] |= 1 << branch
            if branch == CORE:
                arrived[n] = flit & low
            else:
                push(net, net.next[n, branch], flit & low | own << DEST)
        if all_gone:
            net.head[n] = (net.head[n] + 1) % depth
            net.count[n] -= 1
            net.done[n] = 0


@njit
def offer(net, node, word):
    """A word of a PE into the result network; there is space."""
    depth = net.word.shape[2]
    net.word[node, CORE, (net.head[node, CORE] + net.count[node, CORE]) % depth] = word
    net.count[node, CORE] += 1


@njit
def step_results(net, ready, came):
    """A cycle of the result network. `ready` [ports]: for pixels, ends are always taken; what a
    port got goes to `came` [ports]."""
    depth = net.word.shape[2]
    for n in range(len(net.turn)):
        served = -1
        for k in range(3):
            at = (net.turn[n] + k) % 3
            if net.before[n, at] > 0:
                served = at
                break
        if served < 0:
            continue
        to = net.next[n, 0]
        word = net.word[n, served, net.head[n, served]]
        if to < 0:
            free = word < 0 or ready[net.port[n]]
        else:
            free = net.before[to, net.next[n, 1]] < depth
        net.turn[n] = served
        if not free:
            continue
        net.turn[n] = (served + 1) % 3
        net.head[n, served] = (net.head[n, served] + 1) % depth
        net.count[n, served] -= 1
        net.moved[n] += 1
        if to < 0:
            came[net.port[n]] = word
        else:
            side = net.next[n, 1]
            net.word[to, side, (net.head[to, side] + net.count[to, side]) % depth] = word
            net.count[to, side] += 1
