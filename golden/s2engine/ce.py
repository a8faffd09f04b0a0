"""CE array: which row takes a group from where, and the cycle-exact model of one CE."""
from collections import deque
from typing import NamedTuple

from golden.s2engine.tokens import Token

FB, CHAIN, EMPTY = range(3)
PLACEHOLDER = Token(0, 0, eog=1)


class Command(NamedTuple):
    """What a CE does with a group."""

    source: int
    keep: int


class Group(NamedTuple):
    """A group of a row's kernel, by its place in the padded input, the row's first column at 0."""

    channel_group: int
    kernel_row: int
    kernel_col: int


def order(channel_groups, kernel_rows, kernel_cols, stride):
    """The groups of a kernel: columns by residue, then kernel row, then channel group."""
    return [Group(c, r, s) for c in range(channel_groups) for r in range(kernel_rows)
            for residue in range(min(stride, kernel_cols))
            for s in range(residue, kernel_cols, stride)]


def commands(chains, rows, groups, stride, kernel_cols, reuse=True):
    """Per row a `Command` for each of `groups`.

    chains : rows of the chains, from row 0 on: neighbours on an output line. The rest has no pixel.
    reuse : without it, every group comes from FB.
    """
    table = []
    for length in chains:
        for n in range(length):
            table.append([])
            for group in groups:
                first = group.kernel_col < stride
                final = group.kernel_col + stride >= kernel_cols
                chained = reuse and not first and n < length - 1
                table[-1].append(Command(CHAIN if chained else FB,
                                         int(reuse and n > 0 and not final)))
    return table + [[Command(EMPTY, 0)] * len(groups)] * (rows - len(table))


class CE:
    """A CE (see `golden.streams`): words are `Command` and `Token`."""

    inputs, outputs = ("command", "fb", "chain_i"), ("o", "chain_o")

    def __init__(self, hold_depth):
        self.hold_depth = hold_depth
        self.reset()

    def reset(self):
        self.hold = deque()
        self.begins = True

    def _token(self, offered):
        """The token that can move if the row takes it, and whether only the row is missing."""
        command = offered["command"]
        if command is None or (command.keep and len(self.hold) == self.hold_depth):
            return None, False
        sources = offered["fb"], offered["chain_i"], PLACEHOLDER
        return sources[command.source], True

    def look(self, offered, ready):
        token, go = self._token(offered)
        source = offered["command"].source if go else None
        move = token is not None and ready["o"]
        return ({"fb": source == FB and ready["o"], "chain_i": source == CHAIN and ready["o"],
                 "command": bool(move and token.eog)},
                {"o": token, "chain_o": self.hold[0] if self.hold else None},
                {"reads": int(bool(move and self.begins and source == FB))})

    def step(self, offered, ready):
        token, _ = self._token(offered)
        if self.hold and ready["chain_o"]:
            self.hold.popleft()
        if token is not None and ready["o"]:
            self.begins = bool(token.eog)
            if offered["command"].keep:
                self.hold.append(token)
