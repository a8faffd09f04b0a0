"""The array cycle by cycle, as hw/s2engine/README.md words it: slow, plain, independent of golden's
recurrence. Tokens are dicts; `Machine.run` also gives the sums and the causes."""

from collections import Counter, deque

from golden.s2engine.array import CHAIN, EMPTY, FB

PLACEHOLDER = {"value": 0, "offset": 0, "eog": True, "tag": False, "eok": False}


class Queue(deque):
    """A FIFO: what is put in shows in the next cycle; space by the level at the cycle's start."""

    def __init__(self, depth):
        super().__init__()
        self.depth, self.coming, self.going, self.most = depth, [], 0, 0

    def space(self):
        return not self.depth or len(self) < self.depth

    def put(self, word):
        assert self.space() and not self.coming
        self.coming.append(word)

    def get(self):
        assert not self.going
        self.going = 1
        return self[0]

    def tick(self):
        for _ in range(self.going):
            self.popleft()
        self.extend(self.coming)
        self.coming, self.going = [], 0
        self.most = max(self.most, len(self))


class PE:
    def __init__(self, depths):
        self.w_in, self.f_in, self.pairs = (Queue(d) for d in depths)
        self.w = self.f = None
        self.cross, self.f_low = False, 0
        self.operand, self.sum, self.own = None, 0, None
        self.out, self.turn = Queue(2), "FORWARD"
        self.causes, self.results = Counter(), []

    @staticmethod
    def load(old, token):
        after_low = old is not None and old["tag"] and not old["high"]
        return {**token, "high": token["tag"] and after_low, "gone": False}

    @staticmethod
    def operand_of(token):
        low = token["tag"] and not token["high"]
        return token["value"] if low or token["value"] < 128 else token["value"] - 256

    def step(self):
        """The DS's step of this cycle: (consumes W, consumes F)."""
        w, f = self.w, self.f
        if w is None or w["gone"] or f is None or f["gone"]:
            gone = w is None or w["gone"]
            self.causes["starved_w" if gone else "starved_f"] += 1
            return False, False
        same = w["offset"] == f["offset"]
        four = same and w["high"] and f["high"] and not self.cross
        low_f, low_w = f["tag"] and not f["high"], w["tag"] and not w["high"]
        if four:
            eats = False, False
        elif same and low_f:
            eats = False, True
        elif same and low_w:
            eats = True, False
        elif w["eog"] and f["eog"]:
            eats = True, True
        elif w["eog"] or f["eog"]:
            eats = f["eog"], w["eog"]
        elif same:
            eats = True, True
        else:
            eats = w["offset"] < f["offset"], w["offset"] > f["offset"]
        a, b = self.operand_of(w), self.f_low if self.cross else self.operand_of(f)
        shift = 8 * (w["high"] + (f["high"] and not self.cross))
        pair = same and a != 0 and b != 0
        last = eats == (True, True) and w["eog"] and f["eog"] and w["eok"]
        if (pair or last) and not self.pairs.space():
            held = self.operand and self.operand[1] and self.own is not None
            self.causes["drain" if held else "blocked"] += 1
            return False, False
        if pair or last:
            self.pairs.put(((a * b << shift) if pair else 0, last))
        self.causes["multiply" if pair else "select"] += 1
        if same and low_f:
            self.f_low = f["value"]
        self.cross = four
        if eats[0]:
            w["gone"] = True
        if eats[1]:
            f["gone"] = True
        return eats

    def push(self, queue, held, below):
        """A push of one flow: the register's new content."""
        if (held is None or held["gone"]) and queue and below.space():
            token = queue.get()
            below.put(token)
            return self.load(held, token)
        return held

    def mac(self, taken_own):
        """An enabled cycle; `taken_own`: the own register was full at its start."""
        done = self.operand is None
        if self.operand is not None and not (self.operand[1] and taken_own):
            done = True
            self.sum += self.operand[0]
            if self.operand[1]:
                self.own, self.sum = self.sum, 0
                self.results.append(self.own)
            self.operand = None
        if done and self.pairs:
            self.operand = self.pairs.get()


class CE:
    def __init__(self, commands, tokens, hold):
        """commands: (source, keep) per group; tokens: those from FB, in order."""
        self.commands, self.fb, self.hold = deque(commands), deque(tokens), Queue(hold)
        self.reads = 0
        self.begins = True

    def move(self, chain, f_in):
        if not self.commands or not f_in.space():
            return
        source, keep = self.commands[0]
        if keep and not self.hold.space():
            return
        if source == FB and self.fb:
            token = self.fb.popleft()
            self.reads += self.begins
        elif source == CHAIN and chain:
            token = chain.get()
        elif source == EMPTY:
            token = PLACEHOLDER
        else:
            return
        f_in.put(token)
        self.begins = token["eog"]
        if keep:
            self.hold.put(token)
        if token["eog"]:
            self.commands.popleft()


class Machine:
    """rows x cols PEs. weights: tokens per column; ces: a CE per row."""

    def __init__(self, weights, ces, depths, ratio):
        self.weights, self.ces, self.ratio = [deque(w) for w in weights], ces, ratio
        self.rows, self.cols = len(ces), len(weights)
        self.pes = [[PE(depths) for _ in weights] for _ in ces]
        self.left = [[] for _ in ces]       # (cycle, value) at the right edge

    def run(self, kernels, limit=100_000):
        """Until each row gave cols x kernels results; the cycles that it took."""
        cycle = 0
        while any(len(out) < self.cols * kernels for out in self.left):
            assert cycle < limit, "the array hangs"
            self.cycle(cycle)
            cycle += 1
        return cycle

    def cycle(self, now):
        sink = Queue(0)
        for j, column in enumerate(self.weights):
            if column and self.pes[0][j].w_in.space():
                self.pes[0][j].w_in.put(column.popleft())
        for i, ce in enumerate(self.ces):
            chain = self.ces[i + 1].hold if i + 1 < self.rows else None
            ce.move(chain, self.pes[i][0].f_in)
        for i, row in enumerate(self.pes):
            for j, pe in enumerate(row):
                pe.step()
                below = self.pes[i + 1][j].w_in if i + 1 < self.rows else sink
                sink.coming.clear()
                pe.w = pe.push(pe.w_in, pe.w, below)
                sink.coming.clear()
                pe.f = pe.push(pe.f_in, pe.f, row[j + 1].f_in if j + 1 < self.cols else sink)
                full = pe.own is not None
                self.forward(row, j)
                if now % self.ratio == 0:
                    pe.mac(full)
            if row[-1].out:
                self.left[i].append((now, row[-1].out.get()[0]))
        for i, row in enumerate(self.pes):
            self.ces[i].hold.tick()
            for pe in row:
                for queue in (pe.w_in, pe.f_in, pe.pairs, pe.out):
                    queue.tick()

    def forward(self, row, j):
        """The RF's cycle."""
        pe = row[j]
        if not pe.out.space():
            return
        if j == 0 or pe.turn == "OWN":
            if pe.own is not None:
                pe.out.put((pe.own, True))
                pe.own, pe.turn = None, "FORWARD"
        elif row[j - 1].out and not row[j - 1].out.going:
            value, tail = row[j - 1].out.get()
            pe.out.put((value, False))
            pe.turn = "OWN" if tail else "FORWARD"
