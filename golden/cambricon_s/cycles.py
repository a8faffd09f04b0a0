"""The cycle model of Cambricon-S: a program's units event by event, the bus beat by beat.

The rules are those of ``hw/cambricon_s/README.md``, *Cycles*; what COMPUTEs do inside is known
beforehand (`golden.cambricon_s.work`), so that each is a recurrence over its windows. Exact for the
bench's memory (``hw/CYCLES.md``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from golden import axi
from golden.cambricon_s import work as windows
from golden.cambricon_s.program import CambriconPass, Program, Segment
from golden.cambricon_s.work import (
    EXHAUSTED,
    ISSUES,
    LANES,
    MULTIPLY,
    PAIR_OF,
    SEGMENTS,
    VIEW,
    Work,
)
from golden.formats.bits import record_bytes
from golden.jit import njit
from golden.program import Memory
from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import CHOICES, DESCRIPTOR_FIELDS, line_beats

CAUSES = ("idle", "multiply", "view", "exhausted", "latency", "nbout", "nbin", "sib", "sb", "book",
          "imbalance")
BEATS = tuple(f"beats_{name}" for name in CHOICES["buffer"])
BURST, IN_FLIGHT, TICKETS = 16, 8, 8
NEVER = np.int64(1) << 60
FETCH = 2               # the first descriptor's fetch begins in this cycle
SEEN = 3                # from a descriptor's last beat until the engine sees it
CLOSING = 2             # from the last descriptor's taking to irq

# Pairs of sides, and what a side is.
NBIN, SIB, SB, BOOK, IB, NBOUT = range(6)
EMPTY, FILLING, CLOSED, FULL, LEAVING = range(5)


@dataclass(frozen=True)
class PassReport:
    """One program: `begin`, the cycle in which its descriptor is seen, `end`, in which it is taken;
    PE-cycles by cause between them, counters."""

    begin: int
    end: int
    causes: dict[str, int]
    counters: dict[str, int]


@dataclass(frozen=True)
class Report:
    """What a program takes: a segment's cycles; PE-cycles by cause; counters as in hardware."""

    config: CambriconSConfig
    memory: Memory
    passes: tuple[PassReport, ...]

    @property
    def cycles(self) -> int:
        return self.passes[-1].end + CLOSING

    @property
    def segment_cycles(self) -> tuple[int, ...]:
        return (self.cycles,)

    @property
    def causes(self) -> dict[str, int]:
        """They sum to PEs × cycles."""
        total = {name: sum(one.causes[name] for one in self.passes) for name in CAUSES}
        total["idle"] += self.cycles * self.config.tm - sum(total.values())
        return total

    @property
    def counters(self) -> dict[str, int]:
        return {name: sum(one.counters[name] for one in self.passes)
                for name in self.passes[0].counters}

    @property
    def macs_done(self) -> int:
        return self.counters["lanes"] * self.config.tm // self.config.selectors

    @property
    def read_beats(self) -> int:
        size = record_bytes([bits for _, bits in DESCRIPTOR_FIELDS], self.config.memory_bits)
        return (sum(self.counters[name] for name in BEATS)
                + len(self.passes) * size // self.config.beat_bytes)

    @property
    def write_beats(self) -> int:
        return self.counters["beats_store"]


def stages(cfg: CambriconSConfig) -> int:
    """Registers of NSM."""
    steps = [(n.bit_length() - 1) for n in (cfg.window, cfg.tn)]
    return 4 + sum(-(-n // cfg.nsm_steps) for n in steps)


def cycles(program: Program, latency: int = 64, outstanding: int = 8,
           bandwidth: tuple[int, int] = (1, 1)) -> Report:
    """Runs the model."""
    cfg, (segment,) = program.config, program.segments
    assert isinstance(segment, Segment)
    memory = Memory(latency, outstanding, bandwidth)
    settings = {**memory.as_dict(), "max_burst": BURST}
    reader = axi.reader(cfg.beat_bytes, bursts=IN_FLIGHT, **settings)
    writer = axi.writer(cfg.beat_bytes, bursts=IN_FLIGHT, **settings)
    size = record_bytes([bits for _, bits in DESCRIPTOR_FIELDS], cfg.memory_bits)
    at, reports = FETCH, []
    for n, one in enumerate(segment.passes):
        address = segment.desc_addr + n * size
        seen = _fetch(reader, writer, at, address // cfg.beat_bytes, size // cfg.beat_bytes)
        report = _pass(one, windows.work(segment, one), reader, writer, seen)
        reports.append(report)
        at = report.end + 1
    return Report(cfg, memory, tuple(reports))


def _pass(one: CambriconPass, does: Work, reader: axi.Reader, writer: axi.Writer, seen: int
          ) -> PassReport:
    cfg = one.stage.cfg
    load = windows.columns(one, "load", ("to", "side", "address", "rows", "beats", "pitch",
                                         "acquire", "publish"))
    half = min(one.words, cfg.ib_words // 2)
    fetch = np.array([[CHOICES["buffer"].index("ib"), 0, one.program_at, 1,
                       half * line_beats(cfg), 0, 1, 1]]).T
    load = np.ascontiguousarray(np.concatenate([fetch, load], axis=1))
    load[2] //= cfg.beat_bytes
    compute = windows.columns(one, "compute", (
        "nbin_side", "sib_side", "sb_side", "book_side", "release_nbin", "release_sib",
        "release_sb", "release_book", "nbout_side", "acquire", "publish"))
    store = _stores(one)
    there = np.zeros((3, one.words), np.bool_)
    for n, unit in enumerate(("load", "compute", "store")):
        there[n, one.slots[unit][:, 0]] = True
    sizes = np.array([cfg.ib_words // 2, cfg.queue_words, stages(cfg), cfg.beat_bytes], np.int64)
    lacks, beats = np.zeros(6, np.int64), np.zeros(len(BEATS), np.int64)
    end, covered, waited, written = _run(there, load, compute, store, does.cost, does.first,
                                         does.ends, sizes, reader, writer, seen, lacks, beats)
    if end < 0:
        raise ValueError(f"{one.layer.name}: the program must come to its end")
    tally = does.tally.sum(0)
    pes = cfg.tm // cfg.selectors       # that a selector serves
    does_work = {"multiply": tally[MULTIPLY] * pes, "view": tally[VIEW] * pes,
                 "exhausted": tally[EXHAUSTED] * pes, "imbalance": waited * pes}
    causes = {**does_work, "latency": covered * cfg.tm - sum(does_work.values()),
              "nbout": lacks[NBOUT] * cfg.tm, "nbin": lacks[NBIN] * cfg.tm,
              "sib": lacks[SIB] * cfg.tm, "sb": lacks[SB] * cfg.tm, "book": lacks[BOOK] * cfg.tm}
    causes["idle"] = (end - seen) * cfg.tm - sum(causes.values())
    counters = {"lanes": tally[LANES], "issues": tally[ISSUES], "segments": tally[SEGMENTS],
                **dict(zip(BEATS, beats, strict=True)), "beats_store": written}
    return PassReport(seen, int(end), {name: int(causes[name]) for name in CAUSES},
                      {name: int(count) for name, count in counters.items()})


def _stores(one: CambriconPass) -> np.ndarray:
    """Side, rows, columns, cycles of a pixel before its beats, address, pitches, bytes, release."""
    cfg = one.stage.cfg
    f = {name: one.column("store", name) for name in (
        "nbout_side", "rows", "columns", "pool_rows", "pool_columns", "pool", "function",
        "address", "pixel_pitch", "row_pitch", "lanes", "release")}
    before = f["pool_rows"] * f["pool_columns"] + 4
    before = before + np.where(f["pool"] == CHOICES["pool"].index("average"), cfg.data_bits + 2, 0)
    before = before + np.where(f["function"] > CHOICES["function"].index("relu"), cfg.tm + 2, 0)
    return np.ascontiguousarray([f["nbout_side"], f["rows"], f["columns"], before, f["address"],
                                 f["pixel_pitch"], f["row_pitch"],
                                 f["lanes"] * cfg.data_bits // 8, f["release"]], np.int64)


@njit
def _fetch(reader, writer, at, first, beats):
    """A descriptor's fetch from cycle `at` on; returns the cycle in which the engine sees it."""
    while reader.state[axi.NOW] < at:
        axi.step(reader, 0)
        axi.write_step(writer, False, False)
    axi.command(reader, at, first, beats)
    left = beats
    while left:
        pop = 1 if reader.state[axi.LEVEL] > 0 else 0
        axi.step(reader, pop)
        axi.write_step(writer, False, False)
        left -= pop
    seen = reader.state[axi.NOW] - 1 + SEEN
    while reader.state[axi.NOW] < seen:
        axi.step(reader, 0)
        axi.write_step(writer, False, False)
    return seen


@njit
def _walk(cost, ends, first, last, start, stages, ring, count, before):
    """A COMPUTE's windows, taken in `start`. `ring`: for each selector the cycles in which the last
    windows left Emit, `count` of them so far; `before`: (A, D) of the last window, the cycles in
    which its addresses were given and in which it left the feed. Returns (A, D) of its own last
    one, the cycle in which that left Emit everywhere, the count, cycles that selectors waited."""
    given, gone = before
    selectors, size = ring.shape
    waited, until = 0, np.int64(0)
    for n in range(first, last):
        given = max(given + 1, start + 1, gone)
        gone = max(given + 1, gone + 1)
        if count >= stages:
            for k in range(selectors):
                gone = max(gone, ring[k, (count - stages) % size])
        until, least = np.int64(0), np.int64(0)
        for k in range(selectors):
            before_it = ring[k, (count - 1) % size] if count else np.int64(-1)
            left = max(gone + stages, before_it + 1) + cost[k, n] - 1
            ring[k, count % size] = left
            until, least = max(until, left), least + left
        if ends[n]:
            waited += selectors * until - least
            ring[:, count % size] = until
        count += 1
    return given, gone, until, count, waited


@njit
def _run(there, load, compute, store, cost, first, ends_of, sizes, reader, writer, begin, lacks,
         beats):
    """From the descriptor's first cycle until it is taken. Returns (that cycle, cycles with a
    COMPUTE on its way through feed and NSM, cycles that selectors waited for others, beats
    stored); (-1, …) if nothing moves any more."""
    half, depth, stages, beat = sizes[0], sizes[1], sizes[2], sizes[3]
    words, now = there.shape[1], begin
    state, then = np.zeros((6, 2), np.int64), np.zeros((6, 2), np.int64)
    full_at, empty_at = np.full((6, 2), NEVER), np.full((6, 2), NEVER)
    # CP: words read so far, whether one waits; queues: slots handed out and taken.
    read_words, waits = 0, False
    handed, taken = np.zeros(3, np.int64), np.zeros(3, np.int64)
    running = False
    # LOAD: rows left, whether their command is given; tickets; the beats left of the first one.
    rows, given, row_at, tickets, ticket, left, finishing = 0, False, 0, 0, 0, 0, False
    # COMPUTE: its last window's addresses, when that left the feed, its end in Emit.
    ring, count = np.zeros((len(cost), stages + 1), np.int64), 0
    ends, gone, until, covered, waited = np.int64(-1), np.int64(-1), np.int64(-1), 0, 0
    # STORE: under way, pixels, when its beats are offered, its beats, regions without responses.
    busy, pixel, offered, size, lacking, stored = False, 0, NEVER, 0, 0, 0
    quiet = 0
    while True:
        for pair in range(6):
            for side in range(2):
                if full_at[pair, side] == now:
                    state[pair, side], full_at[pair, side] = FULL, NEVER
                if empty_at[pair, side] == now:
                    state[pair, side], empty_at[pair, side] = EMPTY, NEVER
        then[:] = state
        level = handed - taken
        moved = False
        load_busy = rows > 0 or tickets > 0 or finishing
        if (running and read_words == words and not waits and level.sum() == 0 and not load_busy
                and now > until + 8 and not busy and lacking == 0):
            return now, covered, waited, stored
        # CP
        hand = waits
        if waits:
            for n in range(3):
                hand = hand and not (there[n, read_words - 1] and level[n] >= depth)
        if hand:
            moved = True
            for n in range(3):
                handed[n] += there[n, read_words - 1]
            word = read_words - 1
            if (word + 1) % half == 0 or word + 1 == words:
                then[IB, word // half % 2] = EMPTY
        fetch = (running and read_words < words
                 and state[IB, read_words // half % 2] == FULL and (hand or not waits))
        waits = fetch or (waits and not hand)
        if fetch:
            read_words += 1
        # LOAD: commands
        take = False
        k = taken[0]
        if level[0] > 0 and rows == 0 and tickets < TICKETS:
            pair, side = PAIR_OF[load[0, k]], load[1, k]
            take = state[pair, side] == (EMPTY if load[6, k] else FILLING)
            if take:
                then[pair, side] = CLOSED if load[7, k] else FILLING
        # LOAD: data
        finishing = False
        pop, ends_ticket = 0, False
        if tickets > 0:
            if left == 0:
                left = load[4, ticket] * max(load[3, ticket], 1)
            zero = load[3, ticket] == 0
            if zero or reader.state[axi.LEVEL] > 0:
                pop = 0 if zero else 1
                left -= 1
                moved = True
                beats[load[0, ticket]] += pop
                if left == 0:
                    ends_ticket = finishing = True
                    if load[7, ticket]:
                        full_at[PAIR_OF[load[0, ticket]], load[1, ticket]] = now + 2
                    ticket += 1
        if rows > 0 and not given:
            axi.command(reader, now, row_at, load[4, k - 1])
            given = True
        if axi.step(reader, pop):
            moved = True
            rows, given = rows - 1, False
            row_at += load[5, k - 1]
        tickets += int(take) - int(ends_ticket)
        if take:
            moved = True
            taken[0] += 1
            rows, row_at, given = load[3, k], load[2, k], False
        # COMPUTE
        k = taken[1]
        lack, take = -1, False
        if level[1] > 0 and now >= ends:
            side = compute[8, k]
            for pair in range(BOOK, -1, -1):
                if state[pair, compute[pair, k]] != FULL:
                    lack = pair
            if state[NBOUT, side] != (EMPTY if compute[9, k] else FILLING):
                lack = NBOUT
            take = lack < 0
        if now <= until:
            covered += 1
        elif lack >= 0:
            lacks[lack] += 1
        if take:
            moved = True
            taken[1] += 1
            ends, gone, until, count, more = _walk(cost, ends_of, first[k], first[k + 1], now,
                                                   stages, ring, count, (ends, gone))
            waited += more
            then[NBOUT, compute[8, k]] = CLOSED if compute[10, k] else FILLING
            if compute[10, k]:
                full_at[NBOUT, compute[8, k]] = until + 8
            for pair in range(4):
                if compute[4 + pair, k]:
                    side = compute[pair, k]
                    then[pair, side] = LEAVING
                    empty_at[pair, side] = (ends + 1 if pair < SB else
                                            until + 2 if pair == SB else until + 8)
        # STORE
        k = taken[2]
        offer = busy and now >= offered
        done = writer.state[axi.W_DONE_VALID]
        regions = writer.state[axi.W_TAKEN]
        sent = axi.write_step(writer, offer, size == 1)
        lacking += writer.state[axi.W_TAKEN] - regions - done
        moved = moved or sent or done or (busy and not offer)
        stored += int(sent)
        size -= int(sent)
        begins = False
        if sent and size == 0:
            pixel += 1
            if pixel == store[1, k - 1] * store[2, k - 1]:
                busy = False
                if store[8, k - 1]:
                    then[NBOUT, store[0, k - 1]] = EMPTY
            else:
                begins = True
        elif not busy and level[2] > 0 and state[NBOUT, store[0, k]] == FULL:
            busy, begins, pixel, moved = True, True, 0, True
            taken[2] += 1
            k += 1
            if store[8, k - 1]:
                then[NBOUT, store[0, k - 1]] = LEAVING
        if begins:
            row, column = pixel // store[2, k - 1], pixel % store[2, k - 1]
            at = store[4, k - 1] + row * store[6, k - 1] + column * store[5, k - 1]
            size = (at % beat + store[7, k - 1] + beat - 1) // beat
            axi.region(writer, now + 1, at // beat, size)
            offered = now + 1 + store[3, k - 1]
        if not running:
            running = True
            handed[0] += 1
        state[:] = then
        quiet = 0 if moved or now <= until else quiet + 1
        if quiet > 1 << 16:
            return -1, covered, waited, stored
        now += 1
