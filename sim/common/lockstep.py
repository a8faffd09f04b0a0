"""A block beside its cycle-exact model (golden/streams.py): every output, every cycle."""
from cocotb.triggers import RisingEdge


class _Payload:
    """The ports of a stream's payload. A word is an int; a dict, field by field, if each field has
    a port of its own."""
    def __init__(self, dut, name):
        self.dut, self.name = dut, f"{name}__payload"

    def _fields(self, word):
        if isinstance(word, dict):
            return {getattr(self.dut, f"{self.name}__{field}"): value
                    for field, value in word.items()}
        port = getattr(self.dut, self.name, None)       # None: no bits, no port
        return {} if port is None else {port: word}

    def drive(self, word):
        for port, value in self._fields(word).items():
            port.value = value

    def check(self, word, cycle):
        for port, value in self._fields(word).items():
            assert int(port.value) == value, \
                f"cycle {cycle}: {port._name} is {int(port.value)}, not {value}"


class _Source:
    """Offers random words, each until taken."""
    def __init__(self, dut, name, word):
        self.payload = _Payload(dut, name)
        self.valid = getattr(dut, f"{name}__valid", None)
        self.word = word
        self.offered = None

    def drive(self, rng, p_stall):
        if self.offered is None and rng.random() >= p_stall:
            self.offered = self.word(rng)
            if self.offered is not None:
                self.payload.drive(self.offered)
        self.valid.value = self.offered is not None


def _check(dut, model, offered, ready, cycle):
    taken, words, signals = model.look(offered, ready)
    for name, expected in taken.items():
        assert int(getattr(dut, f"{name}__ready").value) == expected, \
            f"cycle {cycle}: {name}__ready is not {int(expected)}"
    for name, word in words.items():
        assert int(getattr(dut, f"{name}__valid").value) == (word is not None), \
            f"cycle {cycle}: {name}__valid is not {int(word is not None)}"
        if word is not None:
            _Payload(dut, name).check(word, cycle)
    for name, expected in signals.items():
        got, mask = int(getattr(dut, name).value), -1
        if isinstance(expected, tuple):
            expected, mask = expected
        assert got & mask == expected, f"cycle {cycle}: {name} is {got}, not {expected}"
    return taken


async def lockstep(dut, model, cycles, rng, words, *, controls=None, allow=None,
                   stalls=(0.0, 0.3, 0.7, 1.0), p_reset=0.01):
    """Runs ``dut`` beside ``model`` for some cycles; fails at the first difference.

    Called after ``start``. Every few cycles each stream draws another stall probability from
    ``stalls``; and for some time several inputs offer new words only together, in one cycle of
    four. So blocks fill, run empty, idle, run at full rate and are hit by all inputs at once. Reset
    comes with probability ``p_reset`` per cycle. ``words[name](rng)`` makes a word for input stream
    ``name``: an int, or a dict of fields if each has a port of its own; None: there is none.
    ``controls[name](rng)`` gives the value of plain input ``name`` in each cycle; the model finds
    it in ``offered``. An output stream is not read while ``allow(name)`` is false. Signals that
    ``look`` leaves out are not checked; a pair (value, mask) checks the bits in the mask.
    """
    sources = {name: _Source(dut, name, words[name]) for name in model.inputs}
    ready_of = {name: getattr(dut, f"{name}__ready") for name in model.outputs}
    p, together = {}, False
    for cycle in range(cycles):
        if cycle % 16 == 0:
            p = {name: rng.choice(stalls) for name in (*sources, *ready_of)}
            together = len(sources) > 1 and rng.random() < 0.4
        closed = together and rng.random() < 0.75
        for name, source in sources.items():
            source.drive(rng, 1 if closed else p[name])
        ready = {name: rng.random() >= p[name] and (allow is None or allow(name))
                 for name in ready_of}
        for name, handle in ready_of.items():
            handle.value = ready[name]
        plain = {name: value(rng) for name, value in (controls or {}).items()}
        for name, value in plain.items():
            getattr(dut, name).value = value
        resetting = rng.random() < p_reset
        dut.rst.value = resetting
        await RisingEdge(dut.clk)
        offered = {**plain, **{name: source.offered for name, source in sources.items()}}
        taken = _check(dut, model, offered, ready, cycle)
        if resetting:
            model.reset()
        else:
            model.step(offered, ready)
        for name, source in sources.items():
            if taken[name]:
                source.offered = None
    dut.rst.value = 0
