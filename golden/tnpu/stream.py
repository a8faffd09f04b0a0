"""One unit's instructions in the making: double buffers, banks, tokens.

A *chunk* is what is loaded into one half of X and W and computed on; a *tile* is what one bank of S
takes, over one or more chunks. The loads of a chunk go before the computing of the chunk before:
so transfers overlap, and every token that is waited for is signalled by an instruction further up.
"""

from __future__ import annotations

from enum import IntEnum

from golden.tnpu.assemble import Instruction
from hw.tnpu.config import TNPUConfig
from hw.tnpu.instruction import Buffer, Opcode


class Token(IntEnum):
    """Semaphores of PU-c; PU-f's own follow from `PU_F` on."""

    READY = 0       # a chunk is loaded
    FREE = 1        # a half of X and W may be loaded
    S_FREE = 2      # a bank of S may be used
    S_FULL = 3      # a bank of S may be stored
    STORED = 4      # what was stored is in memory
    HALF = 5        # a bank is stored, and its tile goes on


PU_F = 8


class Cross(IntEnum):
    """Semaphores between the units."""

    FP = 16         # PU-c's part of FP is in memory
    BP = 17         # PU-f's part of BP is
    DONE = 18       # an instance's memory may be used again
    GRADIENTS = 19  # PU-c's gradients of the batch are in memory


def mask(*tokens: int) -> int:
    return sum(1 << token for token in set(tokens))


class Stream:
    """Collects one unit's instructions.

    `half` and `bank` are those of the next chunk and tile: they go on from block to block. With
    one of `banks`, tiles use S0 alone, and S1 is *resident*: it keeps sums from block to block.
    """

    def __init__(self, cfg: TNPUConfig, unit: str, half: int = 0, bank: int = 0, banks: int = 2
                 ) -> None:
        self.cfg, self.unit, self.half, self.bank, self.banks = cfg, unit, half, bank, banks
        self.out: list[Instruction] = []
        self._held: list[Instruction] = []      # computing and stores of the chunk before
        self._waits: set[int] = set()           # of the next load
        self._open = False                      # a tile is being computed
        self._base = 0 if unit == "c" else PU_F
        self._tile_tokens: set[int] = set()     # of the tile's first use of S
        self._last: Instruction | None = None   # that ends: a store, or what computes for S1

    def token(self, token: Token) -> int:
        return self._base + token

    def wait_for(self, token: int) -> None:
        """The next load waits for this as well."""
        self._waits.add(token)

    def begin_tile(self) -> int:
        """A tile with a bank of its own. Returns the bank."""
        assert not self._open
        self._open, self._tile_tokens = True, {self.token(Token.S_FREE)}
        if self.banks == 1:         # its sums are stored before this tile's are loaded
            self._release()
        bank, self.bank = self.bank, (self.bank + 1) % self.banks
        return bank

    def begin_resident(self) -> int:
        """What follows goes to the resident bank. Returns it."""
        assert not self._open and self.banks == 1
        self._open = True
        return 1

    def chunk(self, s_loads: list[Instruction], loads: list[Instruction],
              computes: list[Instruction]) -> None:
        """Loads into S, loads into this half of X and W, and what is computed with them."""
        assert self._open and loads and computes
        first, *_ = all_loads = [*s_loads, *loads]
        loads[0].wait |= mask(self.token(Token.FREE))
        first.wait |= mask(*self._waits)
        self._waits.clear()
        if self._tile_tokens:
            (first if s_loads else computes[0]).wait |= mask(*self._tile_tokens)
            self._tile_tokens = set()
        all_loads[-1].signal |= mask(self.token(Token.READY))
        computes[0].wait |= mask(self.token(Token.READY))
        computes[-1].signal |= mask(self.token(Token.FREE))
        self.out += all_loads
        self._release()
        self._held = computes
        self.half ^= 1

    def end_tile(self, stores: list[Instruction]) -> None:
        """The tile's results go to memory."""
        assert self._open and self._held
        self._held[-1].signal |= mask(self.token(Token.S_FULL))
        stores[0].wait |= mask(self.token(Token.S_FULL))
        stores[-1].signal |= mask(self.token(Token.S_FREE))
        self._held = [*self._held, *stores]
        self._last = stores[-1]
        self._open = False

    def end_resident(self, stores: list[Instruction]) -> None:
        """The resident bank's sums go to memory, if there are `stores`."""
        assert self._open and self._held
        if stores:
            self._held[-1].signal |= mask(self.token(Token.S_FULL))
            stores[0].wait |= mask(self.token(Token.S_FULL))
        self._held = [*self._held, *stores]
        self._last = self._held[-1]
        self._open = False

    def between(self, stores: list[Instruction], computes: list[Instruction]) -> None:
        """Results go to memory, and the tile is computed on: before `end_tile`."""
        self._held[-1].signal &= ~mask(self.token(Token.FREE))
        self._held[-1].signal |= mask(self.token(Token.S_FULL))
        stores[0].wait |= mask(self.token(Token.S_FULL))
        stores[-1].signal |= mask(self.token(Token.HALF))
        computes[0].wait |= mask(self.token(Token.HALF))
        computes[-1].signal |= mask(self.token(Token.FREE))
        self._held = [*self._held, *stores, *computes]

    def _release(self) -> None:
        self.out += self._held
        self._held = []

    def flush(self, *signals: int) -> None:
        """Ends a block: everything is out, what ends last signals these as well."""
        self._release()
        if signals:
            assert self._last is not None
            self._last.signal |= mask(*signals)

    def barrier(self) -> None:
        """What follows reads from memory what was stored."""
        self.flush(self.token(Token.STORED))
        self.wait_for(self.token(Token.STORED))

    def halves(self) -> tuple[int, int]:
        """Where this half of X and of W begin, words."""
        x, w, _ = self.cfg.words(self.unit)
        lanes = self.cfg.lanes
        x_half, w_half = x // 2 // lanes * lanes, w // 2 // lanes * lanes
        return self.half * x_half, self.half * w_half

    def capacity(self) -> tuple[int, int, int]:
        """Words of a half of X, of W, and of a bank of S."""
        x, w, s = self.cfg.words(self.unit)
        lanes = self.cfg.lanes
        return x // 2 // lanes * lanes, w // 2 // lanes * lanes, s


def credits(cfg: TNPUConfig, unit: str, banks: int = 2) -> list[Instruction]:
    """Two loads that make both halves and the `banks` free; they read the queue's own first
    word."""
    base = 0 if unit == "c" else PU_F
    return [load("queue", 0, 1, Buffer.X, 0, signal=mask(
        *[base + Token.FREE, base + Token.S_FREE][:1 + (n < banks)])) for n in range(2)]


def load(region: str, offset: int, beats: int, buffer: Buffer, word: int, *, chunks: int = 1,
         stride: int = 0, word_stride: int = 0, signal: int = 0) -> Instruction:
    """Words from memory; `offset` and `stride` in bytes."""
    return Instruction(Opcode.LOAD, {
        "address": offset, "beats": beats, "chunks": chunks, "stride": stride if chunks > 1 else 0,
        "buffer": buffer, "word": word, "word_stride": word_stride if chunks > 1 else 0},
        region=region, signal=signal)


def store(region: str, offset: int, beats: int, bank: int, word: int, *, chunks: int = 1,
          stride: int = 0, word_stride: int = 0) -> Instruction:
    """Words of a bank of S to memory."""
    one = load(region, offset, beats, Buffer.S1 if bank else Buffer.S0, word, chunks=chunks,
               stride=stride, word_stride=word_stride)
    one.opcode = Opcode.STORE
    return one
