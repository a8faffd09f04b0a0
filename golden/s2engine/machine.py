"""A whole pass cycle by cycle, compiled: loader, banks, CEs, PEs, edges, store, DMA and memory.

Follows ``hw/s2engine/README.md``, without stalls of the memory and without errors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden import axi
from golden.dense import clocked as dense
from golden.jit import njit
from golden.program import Memory
from golden.s2engine import banks, clocked, edges, store
from golden.s2engine.banks import Banks
from golden.s2engine.clocked import CEs, PEs
from golden.s2engine.feed import BIASES, COLUMNS, NOWHERE, Feed, feed
from golden.s2engine.image import LayerPass
from golden.s2engine.layout import descriptor_bytes
from golden.s2engine.loader import RUNS
from hw.common.stationary.config import StationaryConfig

SEEN = 3                # from a descriptor's last beat until the engine sees it
HANG = 1 << 17          # cycles without a step of a DS

# `Machine.settings`
(DESCRIPTOR, DESCRIPTOR_BEATS, RATIO, LINE_BEATS, GROUP, TILE_GROUPS, KERNEL_TILES, TILE_KERNELS,
 KERNELS_MORE, F_REPLAYS, W_REPLAYS, CE, STORE_BEAT, STORE_GROUP_LINES, STORE_ROW_LINES, COUNTED,
 NAIVE, SETTINGS) = range(18)
# `Machine.out`: PE-cycles by cause first
FB_GROUPS, FB_TOKENS, WB_TOKENS, RUNNING, READ_BEATS, WRITE_BEATS, OUT = range(6, 13)


class Machine(NamedTuple):
    """Everything that `_run` needs."""

    reader: axi.Reader
    writer: axi.Writer
    pes: PEs
    ces: CEs
    rigid: dense.Rigid      # the naive array, in place of PEs and CEs
    fb: Banks
    wb: Banks
    edges: np.ndarray       # int64 [rows, edges.REGISTERS]
    feed: Feed
    store: np.ndarray       # its settings
    settings: np.ndarray
    out: np.ndarray         # int64 [OUT]


@njit
def _fetch(m):
    """The descriptor. Returns the cycle in which the engine sees it; FETCH begins in cycle 0."""
    s, left = m.reader.state, m.settings[DESCRIPTOR_BEATS]
    axi.command(m.reader, 0, m.settings[DESCRIPTOR], left)
    while left:
        pop = s[axi.LEVEL] > 0
        axi.step(m.reader, pop)
        left -= pop
    seen = s[axi.NOW] - 1 + SEEN
    while s[axi.NOW] < seen:
        axi.step(m.reader, 0)
    return seen


@njit
def _region(s, c, k):
    """First beat and beats of the region that begins with the group at hand."""
    pooling = c[store.POOL] != 0
    y, x, size = s[store.Y], s[store.X], c[store.LINE]
    if pooling:
        y, x, size = s[store.WIN_Y], s[store.WIN_X], c[store.POOLED_COLS]
    line = s[store.GROUP] * k[STORE_GROUP_LINES] + y * k[STORE_ROW_LINES] + x * c[store.SLOTS]
    return (k[STORE_BEAT] + line * k[LINE_BEATS], (size - x) * c[store.SLOTS] * k[LINE_BEATS])


@njit(nogil=True)
def _run(m):
    """The pass. Returns the cycle in which its descriptor is taken; negative: it hangs."""
    f, k, out = m.feed, m.settings, m.out
    rows, cols = m.pes.shape[0], m.pes.shape[1]
    tiles, group, beats = m.store[store.TILES], k[GROUP], k[LINE_BEATS]
    kernels = np.array([k[KERNEL_TILES], k[TILE_KERNELS], k[KERNELS_MORE], cols])
    pixels = m.store[store.TILE_PIXELS:store.TILE_MORE + 1]
    s, does = np.zeros(store.STATES, np.int64), np.zeros(store.MOVES, np.int64)
    # By row: its edge moves; a sum comes to it, a group leaves it.
    advance, left = np.zeros(rows, np.bool_), np.zeros(rows, np.bool_)
    leaves = np.zeros(rows, np.bool_)
    f_takes, w_takes = np.zeros(rows, np.int64), np.zeros(cols, np.int64)
    start = _fetch(m) + 1
    rs, ws = m.reader.state, m.writer.state
    while rs[axi.NOW] < start:
        axi.step(m.reader, 0)
    while ws[axi.NOW] < start:
        axi.write_step(m.writer, False, False)
    # The walker's next run, when it can be offered; runs that wait, lines left of the oldest; the
    # next line, biases left of it; beats of it that are there
    run, offer, waiting, run_left, oldest = 0, start + 1, 0, f.lines[0], 0
    line, bias, there, gathered = 0, 0, False, 0
    # The line writer; whether the encoder's group ends its region; the region that is commanded
    busy, beat, closing, ends_region, region, region_beats = False, 0, False, False, 0, 0
    now, running, done, quiet = start, False, False, 0
    while True:
        last = running and done
        # What happens in this cycle, from registers.
        final = beat == beats - 1
        write_beat = busy and axi.write_ready(m.writer)
        line_ready = not busy or (write_beat and final)
        command_ready = not ws[axi.W_FULL] or not ws[axi.W_ACTIVE] or (
            write_beat and final and closing)
        turn = s[store.ROW]
        offered = s[store.STATE] == store.PIXEL and m.edges[turn, edges.OUT] != 0
        store.decide(s, m.store, offered, line_ready, does)
        written = ws[axi.W_DONE_VALID]
        opens = s[store.COMMAND] and command_ready
        encoded = s[store.LINES]
        for r in range(rows):
            e = m.edges[r]
            leaves[r] = does[store.TAKE] != 0 and turn == r
            advance[r] = e[edges.FULL] == 0 or e[edges.OUT] == 0 or leaves[r]
        banks.look(m.fb)
        banks.look(m.wb)
        before = out[0] + out[1]
        if k[NAIVE]:
            w_takes[:], reads = dense.step(
                m.rigid, m.ces, f.parts, k[TILE_GROUPS], m.fb.level, m.wb.level, m.wb.token, cols,
                running, advance, left, f_takes, out)
        else:
            for c in range(cols):
                w_takes[c] = m.wb.level[c] > 0 and m.pes.level[0, c] < m.pes.shape[2]
                if w_takes[c]:
                    m.pes.arrives[0, c] = m.wb.token[c]
            reads = clocked.ces_step(
                m.ces, m.pes, f.parts, f.column_begins, f.column_ends, k[TILE_GROUPS], k[CE],
                m.fb.level, m.fb.token, f_takes)
            if running:
                clocked.pes_step(m.pes, (now - start - 1) % k[RATIO] == 0, advance, left, out)
        out[FB_GROUPS] += reads
        out[FB_TOKENS] += f_takes.sum()
        out[WB_TOKENS] += w_takes.sum()
        if running:
            quiet = quiet + 1 if out[0] + out[1] == before else 0
            if quiet > HANG:
                return -now
        for r in range(rows):
            edges.step(m.edges[r], r, left[r], leaves[r], advance[r], (kernels, pixels), group)
        # The line at the loader.
        target, begin, count, ends = NOWHERE, 0, 0, 0
        takes = False
        if there and waiting:
            if f.target[line] == BIASES:
                bias += 1
                takes = bias == f.size[line]
            elif f.target[line] == NOWHERE:
                takes = True
            elif f.target[line] >= COLUMNS:
                takes = m.wb.ready[f.target[line] - COLUMNS] != 0
            else:
                takes = m.fb.ready[f.target[line]] != 0
        if takes:
            target, begin, count, ends = f.target[line], f.begin[line], f.size[line], f.ends[line]
            line += 1
            bias = 0
        banks.step(m.fb, k[F_REPLAYS], f_takes, f.tokens, target if target < COLUMNS else NOWHERE,
                   begin, count, ends)
        banks.step(m.wb, k[W_REPLAYS], w_takes, f.tokens, target - COLUMNS, begin, count, ends)
        # Beats into lines, commands, and the runs that wait.
        pop = rs[axi.LEVEL] > 0 and (not there or takes)
        there = there and not takes
        if pop:
            gathered += 1
            there = gathered == beats
            if there:
                gathered = 0
        out[READ_BEATS] += pop
        walks = run < len(f.lines) and offer <= now and (
            not f.features[run] or now > start + k[COUNTED])
        if walks and waiting < RUNS and rs[axi.TAKEN] == rs[axi.GIVEN]:
            axi.command(m.reader, now, f.address[run], f.lines[run] * beats)
        accepted = axi.step(m.reader, pop)
        if takes:
            run_left -= 1
            if run_left == 0:
                waiting -= 1
                oldest += 1
                run_left = f.lines[oldest] if oldest < len(f.lines) else 0
        if accepted:
            waiting += 1
            run += 1
            offer = now + 2
        # The store, its lines and regions.
        if opens:
            axi.region(m.writer, now, region, region_beats)
        if does[store.OPENS]:
            region, region_beats = _region(s, m.store, k)
        out[WRITE_BEATS] += write_beat
        axi.write_step(m.writer, busy, closing and final)
        if write_beat:
            beat = 0 if final else beat + 1
            busy = busy and not final
        if encoded and line_ready:
            busy = True
            closing = ends_region and encoded == 1
        if does[store.ENCODE]:
            ends_region = does[store.MARKS] != 0 or does[store.FRESH] != 0
        store.advance(s, m.store, does, command_ready, line_ready, written, now == start)
        if now == start:
            m.ces.dispatch[0] = 1
            running = True
        done = s[store.STATE] == store.IDLE and s[store.REGIONS] == 0
        for r in range(rows):
            done = done and m.edges[r, edges.TILE] == tiles
        now += 1
        if last:
            out[RUNNING] = now - 1 - start
            return now


class PassRun(NamedTuple):
    """What a pass takes: cycles from its FETCH to the next one's, PE-cycles, counters, beats, and
    what is left of the memory's token buckets (read, write)."""

    cycles: int
    causes: dict[str, int]
    counters: dict[str, int]
    read_beats: int
    write_beats: int
    rates: tuple[int, int]


def settings(one: LayerPass, address: int, config: StationaryConfig) -> np.ndarray:
    """`Machine.settings` of a pass whose descriptor is at byte `address`."""
    d, beat = one.descriptor, config.memory_bits // 8
    return np.array([
        address // beat, descriptor_bytes(config) // beat, config.ratio, config.line_beats,
        config.group, d["kernel_tiles"] * d["groups"], d["kernel_tiles"], d["tile_kernels"],
        d["kernels_more"], d["f_replays"], d["w_replays"], d["ce"], d["store_addr"] // beat,
        d["store_group_lines"], d["store_row_lines"], -(-d["kernel_cols"] // d["stride"]),
        config.naive],
        np.int64)


def run_pass(one: LayerPass, address: int, memory: bytes, base: int, config: StationaryConfig,
             bus: Memory, rates: tuple[int, int] | None = None) -> PassRun:
    """A pass of an image `memory` that begins at `base`; `rates`: of the token buckets."""
    options = bus.as_dict()
    beat = config.memory_bits // 8
    reader, writer = axi.reader(beat, **options), axi.writer(beat, **options)
    if rates:
        reader.state[axi.RATE], writer.state[axi.W_RATE] = rates
    m = Machine(
        reader, writer, clocked.pes(config), clocked.ces(config),
        dense.rigid(config.rows, config.cols, len(one.plan.pixel_tiles)
                    * len(one.plan.kernel_tiles)),
        banks.banks(config.rows, config.fb_tokens), banks.banks(config.cols, config.wb_tokens),
        np.zeros((config.rows, edges.REGISTERS), np.int64), feed(one, memory, base, config),
        store.settings(one.descriptor, config), settings(one, address, config),
        np.zeros(OUT, np.int64))
    taken = int(_run(m))
    if taken < 0:
        raise ValueError(f"{one.layer.name}: nothing moves after cycle {-taken} of a pass")
    out = [int(n) for n in m.out]
    cycles = taken + 1
    axi.step(reader, 0)
    axi.write_step(writer, False, False)
    names = ("multiply", "select", "starved_w", "starved_f", "drain", "blocked")
    causes = {"idle": config.pes * (cycles - out[RUNNING]), **dict(zip(names, out, strict=False))}
    assert sum(causes.values()) == config.pes * cycles
    return PassRun(cycles, causes, {"fb_groups": out[FB_GROUPS], "fb_tokens": out[FB_TOKENS],
                                    "wb_tokens": out[WB_TOKENS]},
                   out[READ_BEATS] + descriptor_bytes(config) // beat, out[WRITE_BEATS],
                   (int(reader.state[axi.RATE]), int(writer.state[axi.W_RATE])))
