"""Random instructions for a PU, as the buffer controller would issue them; see `golden.tnpu.pu`."""
from hw.tnpu.instruction import Init, Op, Opcode, Operand


class Issues:
    """Builds one instruction's issues, cycle by cycle.

    ``tight`` is as fast as the rules allow; else cycles without issue are strewn in.
    """

    def __init__(self, cfg, unit, words, r, tight):
        self.cfg, self.unit, self.words, self.r, self.tight = cfg, unit, words, r, tight
        self.rows = cfg.rows(unit)
        self.list = []
        self.now = 0

    def put(self, **fields):
        """An issue in the next cycle, or some later."""
        if not self.tight and self.r.random() < 0.3:
            self.now += self.r.randrange(1, 4)
        self.list.append((self.now, {"valid": 1, **fields}))
        self.now += 1

    def wait(self, since, cycles):
        """The next issue is at least ``cycles`` after that of cycle ``since``."""
        self.now = max(self.now, since + cycles)

    def x(self):
        return self.r.randrange(self.words * self.cfg.x_units(self.unit))

    def word(self):
        return self.r.randrange(self.words)

    def some(self, count):
        """So many different words of S."""
        return self.r.sample(range(self.words), count)

    def padding(self, name):
        return {name: int(self.r.random() < 0.15)}


def stream(i):
    """Passes over the same positions, as close as sums allow; weights taken a pass ahead."""
    positions, passes = i.some(i.r.randrange(1, i.words)), i.r.randrange(1, 5)
    late = [r * i.cfg.add_latency for r in range(i.rows)]
    takes = {late[r]: (1 << r, i.word()) for r in range(i.rows)}
    i.now = 2 + i.rows * i.cfg.add_latency
    bias = i.r.choice([s for s in range(i.words) if s not in positions])
    for n in range(passes):
        begin = i.now
        for k, s in enumerate(positions):
            start = {}
            if n == 0:
                start = i.r.choice([{"s": s}, {"init": Init.ZERO}, {"s": bias, "init": Init.WORD}])
            i.put(**{"x": i.x(), "s": s, "write": 1, "to": s, "swap": int(k == 0),
                     "relu": int(n == passes - 1 and i.relu), **i.padding("x_zero"), **start})
            if k == 0:
                begin = i.now - 1
        takes |= {begin + 1 + late[r]: (1 << r, i.word()) for r in range(i.rows)}
        i.wait(begin if i.tight else i.now, i.cfg.min_pass(i.unit))
    known = dict(i.list)
    for cycle, (rows, w) in takes.items():
        known.setdefault(cycle, {}).update(take=rows, w=w)
    i.list = sorted(known.items())


def local(i):
    """Groups of slots, each slot added to as soon as it may be."""
    slots = i.r.randrange(1, i.cfg.slots + 1)
    init = i.r.choice([Init.KEEP, Init.ZERO]) if i.written else Init.ZERO
    for group in range(i.r.randrange(1, 5)):
        begin = i.now
        for slot in range(slots if i.written else i.cfg.slots):
            i.put(x=i.x(), w=i.word(), slot=slot, init=Init.KEEP if group else init,
                  **i.padding("x_zero"), **i.padding("w_zero"))
        i.wait(begin, i.cfg.slot_distance if i.tight else 99)


def drain(i):
    """Local sums of all rows onto words of S."""
    for s in i.some(i.r.randrange(1, i.words)):
        start = i.r.choice([{"s": s}, {"init": Init.ZERO}])
        i.put(write=1, to=s, row=i.r.randrange(i.rows), slot=i.r.randrange(i.cfg.slots),
              relu=i.relu, **start)


def vector(i):
    """One word of S per issue; then the same ones again."""
    for _ in range(2):
        begin = i.now
        for s in i.some(i.r.randrange(1, i.words)):
            i.put(x=i.x(), w=i.word(), s=s, write=1, to=s, relu=i.relu, group=i.r.randrange(3),
                  init=i.r.choice([Init.KEEP, Init.KEEP, Init.ZERO]), **i.padding("w_zero"),
                  **i.padding("x_zero"))
        i.wait(begin, i.now - begin + i.cfg.min_pass(i.unit))


def pool(i):
    """Windows of one to nine elements, their largest and its number."""
    for to in i.some(i.words // 2):
        elements = i.r.randrange(1, 10)
        words = [i.word() for _ in range(elements)]
        for k, w in enumerate(words):
            i.put(w=i.r.choice([w, words[0]]), first=int(k == 0), write=int(k == elements - 1),
                  to=to, **i.padding("w_zero"))
        i.put(index=1, write=1, to=i.word())


KINDS = {Opcode.STREAM: stream, Opcode.LOCAL: local, Opcode.DRAIN: drain, Opcode.VECTOR: vector,
         Opcode.POOL: pool}


def instructions(cfg, unit, words, count, r):
    """``count`` random instructions: (setting, issues). LOCAL comes first: DRAIN needs sums."""
    kinds = [Opcode.LOCAL, *(r.choice(list(KINDS)) for _ in range(count - 1))]
    for n, opcode in enumerate(kinds):
        i = Issues(cfg, unit, words, r, tight=r.random() < 0.5)
        i.relu, i.written = r.getrandbits(1), n > 0
        KINDS[opcode](i)
        yield {"opcode": opcode, "op": r.choice(list(Op)), "operand": r.choice(list(Operand)),
               "imm": r.getrandbits(32)}, i.list
