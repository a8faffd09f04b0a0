"""Cycle-exact model of the PE array: every PE in every cycle. Slow; for small arrays."""
from golden.s2engine.pe import PE
from hw.s2engine.config import S2Config

PATIENCE = 200     # cycles without a movement after which it hangs: the longest wait is one ratio


class Hang(Exception):
    """Nothing moves any more; the message has the cycle."""


class Array:
    """``rows`` × ``cols`` PEs. In cycle 0 and every ``ratio``-th after it MACs are enabled.

    Parameters
    ----------
    w_flows, f_flows : list of list of Token
        Per column and per row.
    config : S2Config
        Its depths, ratio and acc_bits; rows and columns are those of the flows.
    pe : callable
        `PE`, or something of its kind.

    Attributes
    ----------
    results : list of list of (sum, cycle)
        What has left each row.
    causes : list of int
        PE-cycles by cause.
    """

    def __init__(self, w_flows, f_flows, config: S2Config, pe=PE):
        self.flows, self.config = (w_flows, f_flows), config
        self.at = [0] * len(w_flows), [0] * len(f_flows)    # next token of each flow
        self.rows, self.cols = len(f_flows), len(w_flows)
        self.pes = {(r, c): pe(w_flows[c], f_flows[r], config)
                    for r in range(self.rows) for c in range(self.cols)}
        self.results: list[list[tuple[int, int]]] = [[] for _ in f_flows]
        self.causes = [0] * 6
        self.cycle = 0

    def run(self):
        """Runs until every row has given all its results; raises `Hang`."""
        count = self.cols * sum(token.eok for token in self.flows[0][0])
        moved = 0
        while any(len(row) < count for row in self.results):
            if self._cycle():
                moved = self.cycle
            self.cycle += 1
            if self.cycle - moved > PATIENCE:
                raise Hang(f"nothing moves after cycle {moved}")
        return self

    def _cycle(self):
        """One cycle; whether a word has moved."""
        looks, moved = self._look(), False
        for (r, c), (offered, ready, taken, words, signals) in looks.items():
            self.pes[r, c].step(offered, ready)
            self.causes[signals["cause"]] += 1
            self.at[0][c] += r == 0 and taken["w_i"] and offered["w_i"] is not None
            self.at[1][r] += c == 0 and taken["f_i"] and offered["f_i"] is not None
            moved |= signals["cause"] < 2
            moved |= any(word is not None and ready[name] for name, word in words.items())
            moved |= any(taken[name] and offered[name] is not None for name in taken)
            if c == self.cols - 1 and words["r_o"] is not None:
                self.results[r].append((words["r_o"][0], self.cycle))
        return moved

    def _look(self):
        """Per PE: what it is offered, who is ready, what it takes, its words, its signals.

        What a PE takes follows from its own state, so all can be asked for it first.
        """
        plain = {"mac_enable": self.cycle % self.config.ratio == 0}
        nothing = {"w_i": None, "f_i": None, "r_i": None, **plain}
        takes = {(r, c): pe.look({**nothing, "first": c == 0},
                                 {"w_o": False, "f_o": False, "r_o": False})[0]
                 for (r, c), pe in self.pes.items()}
        looks: dict = {}
        for r, c in self.pes:
            south, east = takes.get((r + 1, c)), takes.get((r, c + 1))
            ready = {"w_o": south is None or south["w_i"], "f_o": east is None or east["f_i"],
                     "r_o": east is None or east["r_i"]}
            offered = {**plain, "first": c == 0,
                       "w_i": looks[r - 1, c][3]["w_o"] if r else self._next(0, c),
                       "f_i": looks[r, c - 1][3]["f_o"] if c else self._next(1, r),
                       "r_i": looks[r, c - 1][3]["r_o"] if c else None}
            looks[r, c] = offered, ready, *self.pes[r, c].look(offered, ready)
        return looks

    def _next(self, side, n):
        flow, at = self.flows[side][n], self.at[side][n]
        return flow[at] if at < len(flow) else None
