"""What benches share: clock and reset, stream drivers, the configuration and the seed.

A cycle ends with a rising edge of ``dut.clk``. Drivers change inputs just after an edge and sample
outputs at the next one, before the design reacts to it.
"""

import os
import pickle
import random
from functools import cache

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD_NS = 10
PATIENCE = 100_000    # cycles without progress after which a driver fails its test


@cache
def _given():
    with open(os.environ["SPARSEFORGE_BENCH"], "rb") as file:
        return pickle.load(file)


def bench_config(cls=None):
    """What `simulate` was given as `config`; a dict becomes ``cls(**config)`` if `cls` is given."""
    config = _given()["config"]
    return cls(**config) if cls is not None and isinstance(config, dict) else config


def rng(salt=0):
    """A `random.Random` of the run's seed; another `salt`, another sequence."""
    return random.Random(f"{cocotb.RANDOM_SEED}/{salt}")


def clear(dut):
    """Sets every input to 0."""
    for name in _given()["inputs"]:
        getattr(dut, name).value = 0


async def start(dut):
    """Sets every input to 0, starts ``clk`` and resets for two cycles; then as after `reset`."""
    clear(dut)
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    await reset(dut)


async def reset(dut, cycles=2):
    """Holds ``rst`` for `cycles` edges; returns just after the last of them, with ``rst`` low."""
    dut.rst.value = 1
    for _ in range(cycles):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


async def pulse(clk, signal):
    """`signal` is 1 in one cycle."""
    signal.value = 1
    await RisingEdge(clk)
    signal.value = 0


class _Stream:
    """The handles of stream `name`; None for what has no port (constant 1, zero width)."""

    def __init__(self, dut, name):
        self.name, self.clk = name, dut.clk
        self.valid, self.ready, self.payload = (
            getattr(dut, f"{name}__{part}", None) for part in ("valid", "ready", "payload"))
        if self.valid is None and self.ready is None and self.payload is None:
            raise AttributeError(f"{dut._name} has no stream {name!r}")
        self.mask = (1 << len(self.payload)) - 1 if self.payload is not None else 0

    def is_valid(self):
        return self.valid is None or int(self.valid.value) == 1

    def is_ready(self):
        return self.ready is None or int(self.ready.value) == 1

    def word(self):
        return 0 if self.payload is None else int(self.payload.value)

    def offer(self, word):
        """Offers `word`, or nothing if it is None."""
        if word is not None and self.payload is not None:
            self.payload.value = word & self.mask
        if self.valid is not None:
            self.valid.value = int(word is not None)

    def accept(self, ready):
        if self.ready is not None:
            self.ready.value = int(ready)


def _stalls(rng, p_stall):
    return p_stall > 0 and rng.random() < p_stall


async def send(dut, name, words, rng=None, p_stall=0.0):
    """Offers `words` (ints, negative ones in two's complement) on stream `name`, in order.

    Before each word, cycles without valid follow each other with probability `p_stall`. Returns
    the cycles until the last word was taken, that one included; ``len(words)`` at full rate.
    """
    stream, cycles = _Stream(dut, name), 0
    for word in words:
        while _stalls(rng, p_stall):
            stream.offer(None)
            await RisingEdge(stream.clk)
            cycles += 1
        stream.offer(word)
        waited = 0
        while True:
            await RisingEdge(stream.clk)
            cycles += 1
            waited += 1
            if stream.is_ready():
                break
            assert waited < PATIENCE, f"{name} is not ready for {waited} cycles"
    stream.offer(None)
    return cycles


async def recv(dut, name, count, rng=None, p_stall=0.0):
    """Takes `count` words from stream `name`; not ready in a cycle with probability `p_stall`.

    Returns the words (ints, unsigned) and the cycles until the last was taken, that one included.
    Fails if a word offered and not taken changes or goes away.
    """
    stream, cycles, words, held, waited = _Stream(dut, name), 0, [], None, 0
    while len(words) < count:
        ready = not _stalls(rng, p_stall)
        stream.accept(ready)
        await RisingEdge(stream.clk)
        cycles += 1
        word = stream.word() if stream.is_valid() else None
        assert held is None or word == held, f"{name} offered {held}, then {word}, untaken"
        held = None if ready else word
        if ready and word is not None:
            words.append(word)
            waited = 0
        waited += 1
        assert waited < PATIENCE, f"{name} is not valid for {waited} cycles"
    stream.accept(False)
    return words, cycles
