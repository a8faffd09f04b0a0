"""An LSTM layer by hand: gates as FC, f ∘ c + i ∘ g and o ∘ tanh(c) element by element.

Neurons of 16 bits: x, h and what tables give have 15 fraction bits, weights and c 12. i ∘ g has 30
of them and f ∘ c 27, so that it is added eight times: eight positions of one vector.
"""

import numpy as np

from golden.cambricon_s.functions import apply
from golden.numeric import requantise
from tests.cambricon_s.hand import Hand

GATES = {"f": "sigmoid", "i": "sigmoid", "o": "sigmoid", "g": "tanh"}
STORE = ("rows=1 columns=1 row_step=1 multiplier=1 out_bits=15 pool_rows=1 pool_columns=1 pool_s=1 "
         "pixel_pitch=1 ")
BOTH = "acquire=1 publish=1 "
RELEASE = "release_nbin=1 release_sib=1 release_sb=1 release_book=1 "


class LSTM:
    """Tm cells; each step is three programs, since each reads what the one before stored."""

    def __init__(self, cfg, rand, inputs, steps):
        self.cfg, self.hand, tm = cfg, Hand(cfg), cfg.tm
        self.x = rand.integers(-20000, 20000, (steps, inputs))
        self.weights = {g: rand.integers(-6000, 6000, (tm, inputs + tm)) for g in GATES}
        self.bias = {g: rand.integers(-1 << 26, 1 << 26, tm) for g in GATES}
        self.places = {}
        self.load_x = [self.hand.neurons(x) for x in self.x]
        self.load_w = {g: self.hand.synapses(w.tolist(), 16) for g, w in self.weights.items()}
        self.load_b = {g: self.hand.bias(b) for g, b in self.bias.items()}
        granules = -(-inputs // cfg.tn)
        connected = [1] * inputs + [0] * (granules * cfg.tn - inputs) + [1] * tm
        self.index, self.granules, self.run = self.hand.index([connected]), granules, len(connected)
        for n in range(steps):
            self._gates(n)
            self._cells(n)
            self._outputs(n)

    def at(self, name):
        """A vector of Tm neurons in memory, on a beat; 0 at first."""
        if name not in self.places:
            self.places[name] = self.hand.image.append(bytes(self.cfg.beat_bytes))
        return self.places[name]

    def _load(self, to, name, first, rest):
        self.hand.add(f"load to={to} address={self.at(name)} rows=1 beats=1 granules=1 "
                      f"first={first} " + rest)

    def _gates(self, n):
        add = self.hand.add
        add(f"load to=nbin granules={self.granules} acquire=1" + self.load_x[n])
        self._load("nbin", f"h{n}", self.granules, "publish=1")
        add("load to=sib granules=1 " + BOTH + self.index)
        for k, (gate, function) in enumerate(GATES.items()):
            side = k % 2
            add(f"load to=bias side={side} granules=1 " + BOTH + self.load_b[gate])
            add(f"load to=sb side={side} " + BOTH + self.load_w[gate])
            last = k == len(GATES) - 1
            add(f"compute positions=1 outer=1 inner=1 run={self.run} sb_side={side} width=4 "
                f"synapses={self.weights[gate].shape[1]} book_side={side} nbout_side={side} "
                f"dynamic=1 begin=1 {BOTH}release_sb=1 release_book=1 release_nbin={int(last)} "
                f"release_sib={int(last)}")
            add(f"store nbout_side={side} {STORE}shift=15 function={function} release=1 "
                f"address={self.at(gate)} lanes={self.cfg.tm}")
        self.hand.finish()

    def _products(self, pairs):
        """Σ of times · neurons ∘ synapses into vector 0, from 0."""
        for k, (neurons, _, _) in enumerate(pairs):
            self._load("nbin", neurons, k, f"acquire={int(k == 0)} "
                                           f"publish={int(k == len(pairs) - 1)}")
        for k, (_, synapses, _) in enumerate(pairs):
            self._load("every", synapses, k, f"acquire={int(k == 0)} "
                                             f"publish={int(k == len(pairs) - 1)}")
        for buffer in ("sib", "bias"):
            self.hand.add(f"load to={buffer} beats={self.cfg.bias_beats} granules=1 " + BOTH)
        for k, (_, _, times) in enumerate(pairs):
            last = k == len(pairs) - 1
            self.hand.add(f"compute positions={times} outer=1 inner=1 nbin_first={k} sb_word={k} "
                          f"run={self.cfg.tm} synapses={self.cfg.tm} width=4 own=1 dense=1 "
                          f"dynamic=1 begin={int(k == 0)} acquire={int(k == 0)} "
                          f"publish={int(last)} " + (RELEASE if last else ""))

    def _cells(self, n):
        self._products([("g", "i", 1), (f"c{n}", "f", 8)])
        lanes = f"lanes={self.cfg.tm} "
        self.hand.add(f"store {STORE}shift=18 address={self.at(f'c{n + 1}')} " + lanes)
        self.hand.add(f"store {STORE}shift=18 function=tanh release=1 address={self.at('t')} "
                      + lanes)
        self.hand.finish()

    def _outputs(self, n):
        self._products([("t", "o", 1)])
        self.hand.add(f"store {STORE}shift=15 release=1 address={self.at(f'h{n + 1}')} "
                      f"lanes={self.cfg.tm}")
        self.hand.finish()

    def reference(self):
        """h and c after every step."""
        bits, table = self.cfg.data_bits, self.cfg.table_bits
        h = c = np.zeros(self.cfg.tm, np.int64)
        out = []
        for x in self.x:
            gates = {}
            for gate, function in GATES.items():
                total = self.weights[gate] @ np.concatenate([x, h]) + self.bias[gate]
                gates[gate] = apply(function, requantise(total, 1, 15, bits), bits, table)
            total = gates["i"] * gates["g"] + 8 * gates["f"] * c
            c = requantise(total, 1, 18, bits)
            t = apply("tanh", c, bits, table)
            h = requantise(gates["o"] * t, 1, 15, bits)
            out.append((h, c))
        return out
