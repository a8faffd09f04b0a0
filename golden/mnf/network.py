"""Cycle-exact model of the mesh's two networks (hw/mnf/README.md, *Network*), cycle by cycle.

In the form of `golden/streams.py`. Routes are worked out from coordinates, per flit, not from
tables.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

from golden.streams import numbered
from hw.mnf.config import MNFConfig

Node = tuple[int, int]


class Mesh:
    """Words are ints. A flit's low `nodes` bits are its destinations, a bit per node."""

    def __init__(self, config: MNFConfig) -> None:
        self.config = config
        cols, rows = config.mesh_cols, config.mesh_rows
        self.nodes = [(row, col) for row in range(rows) for col in range(cols)]
        starts = [p * rows // config.ports for p in range(config.ports)] + [rows]
        self.top: dict[int, tuple[int, int]] = {}         # by row: its port, the section's top row
        for port, (first, end) in enumerate(itertools.pairwise(starts)):
            self.top |= dict.fromkeys(range(first, end), (port, first))
        self.roots = [(first, 0) for first in starts[:-1]]
        self.inputs = numbered("port_i", config.ports) + numbered("pe_i", config.pes)
        self.outputs = numbered("pe_o", config.pes) + numbered("port_o", config.ports)
        self.reset()

    def reset(self) -> None:
        self.events: dict[Node, deque[int]] = {at: deque() for at in self.nodes}
        self.copied: dict[Node, set[str]] = {at: set() for at in self.nodes}
        self.results: dict[Node, list[deque[int]]] = {
            at: [deque(), deque(), deque()] for at in self.nodes}
        self.order = {at: [0, 1, 2] for at in self.nodes}

    def _bit(self, at: Node) -> int:
        return 1 << at[0] * self.config.mesh_cols + at[1]

    def _route(self, at: Node) -> tuple[dict[str, int], bool]:
        """Where a router's head goes: destinations by branch; whether some lie nowhere."""
        (row, col), dest = at, self.events[at][0] & (1 << self.config.nodes) - 1
        ways: dict[str, int] = {}
        lost = dest == 0
        for to in self.nodes:
            if not dest & self._bit(to):
                continue
            same, top = self.top[to[0]] == self.top[row], self.top[row][1]
            if to == at and to != (0, 0):
                branch = "core"
            elif same and to[1] > col and row == top:
                branch = "east"
            elif same and to[1] == col and to[0] > row:
                branch = "south"
            else:
                lost = True
                continue
            ways[branch] = ways.get(branch, 0) | self._bit(to)
        return ways, lost

    def _flit(self, at: Node, dest: int) -> int:
        return self.events[at][0] >> self.config.nodes << self.config.nodes | dest

    def _space(self, queue: deque[int]) -> bool:
        return len(queue) < self.config.link_fifo

    def _pe(self, at: Node) -> int:
        return at[0] * self.config.mesh_cols + at[1] - 1

    def _copies(self, ready: dict[str, bool]
                ) -> tuple[list[tuple[Node, str, int]], set[Node], bool]:
        """(copies taken in this cycle, routers whose head leaves, whether one had a stray)."""
        taken, leaves, stray = [], set(), False
        for at in self.nodes:
            if not self.events[at]:
                continue
            ways, lost = self._route(at)
            done = set(self.copied[at])
            for branch, dest in ways.items():
                if branch in done:
                    continue
                free = (ready[f"pe_o__{self._pe(at)}"] if branch == "core"
                        else self._space(self.events[self._next(at, branch)]))
                if free:
                    taken.append((at, branch, self._flit(at, dest)))
                    done.add(branch)
            if done >= set(ways):
                leaves.add(at)
                stray |= lost
        return taken, leaves, stray

    def _next(self, at: Node, branch: str) -> Node:
        return (at[0], at[1] + 1) if branch == "east" else (at[0] + 1, at[1])

    def _served(self, at: Node) -> int | None:
        """The input of a result router whose turn it is."""
        return next((n for n in self.order[at] if self.results[at][n]), None)

    def _sink(self, at: Node) -> tuple[Node, int] | str:
        """Where a result router sends: a queue of another router, or a port."""
        row, col = at
        if col:
            return (row, col - 1), 0
        port, top = self.top[row]
        return f"port_o__{port}" if row == top else ((row - 1, col), 1)

    def _free(self, at: Node, ready: dict[str, bool]) -> bool:
        sink = self._sink(at)
        return ready[sink] if isinstance(sink, str) else self._space(
            self.results[sink[0]][sink[1]])

    def look(self, offered: dict[str, Any], ready: dict[str, bool]) -> tuple[Any, Any, Any]:
        taken = {f"port_i__{p}": self._space(self.events[root])
                 for p, root in enumerate(self.roots)}
        words: dict[str, int | None] = dict.fromkeys(self.outputs)
        for at in self.nodes:
            if self._pe(at) >= 0:
                taken[f"pe_i__{self._pe(at)}"] = self._space(self.results[at][2])
            if self.events[at]:
                core = self._route(at)[0].get("core")
                if core and "core" not in self.copied[at]:
                    words[f"pe_o__{self._pe(at)}"] = self._flit(at, core)
            served, sink = self._served(at), self._sink(at)
            if served is not None and isinstance(sink, str):
                words[sink] = self.results[at][served][0]
        return taken, words, {"stray": self._copies(ready)[2]}

    def step(self, offered: dict[str, Any], ready: dict[str, bool]) -> None:
        copies, leaves, _ = self._copies(ready)
        accepts = self.look(offered, ready)[0]
        served = {at: self._served(at) for at in self.nodes}
        free = {at: self._free(at, ready) for at in self.nodes}
        moves = []
        for at, turn in served.items():
            if turn is None:
                continue
            # One that waits keeps the turn; one that was served goes last.
            cut = self.order[at].index(turn) + free[at]
            self.order[at] = self.order[at][cut:] + self.order[at][:cut]
            if free[at]:
                moves.append((self._sink(at), self.results[at][turn].popleft()))
        self._push(offered, accepts, copies, leaves, moves)

    def _push(self, offered: dict[str, Any], accepts: dict[str, bool],
              copies: list[tuple[Node, str, int]], leaves: set[Node], moves: list[Any]) -> None:
        """What arrives, after all routers have looked at the levels of this cycle's start."""
        for at, branch, flit in copies:
            self.copied[at].add(branch)
            if branch != "core":
                self.events[self._next(at, branch)].append(flit)
        for at in leaves:
            self.events[at].popleft()
            self.copied[at].clear()
        for sink, word in moves:
            if not isinstance(sink, str):
                self.results[sink[0]][sink[1]].append(word)
        for name, word in offered.items():
            if word is None or not accepts[name]:
                continue
            kind, number = name.split("__")
            if kind == "port_i":
                self.events[self.roots[int(number)]].append(word)
            else:
                at = divmod(int(number) + 1, self.config.mesh_cols)
                self.results[at][2].append(word)
