"""One pass of SCNN (a descriptor) from its fetch to its end: every cycle, by cause.

A pass begins with everything idle, so it can be computed apart from the passes before it: time is
counted from the cycle in which the shell begins to fetch its descriptor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from golden import axi
from golden.jit import njit
from golden.program import Memory
from golden.scnn import compute, drain, store
from golden.scnn.compute import NEVER, Inputs, Lines
from golden.scnn.emit import Emitted, encode
from golden.scnn.layout import descriptor_bytes
from golden.scnn.program import LayerPass, LineTable
from hw.scnn.config import SCNNConfig
from hw.scnn.descriptor import COMMON_FIELDS, TILE_FIELDS

CAUSES = ("idle", "load", "multiply", "conflict", "starved", "drain", "barrier")


class Groups(NamedTuple):
    """What the groups did; first index the group."""

    run: np.ndarray         # int64 [G]: cycle in which the PEs see `run`
    end: np.ndarray         # int64 [G]: cycle in which all are done and the drain is idle
    flushed: np.ndarray     # int64 [G, PEs]: last cycle of work
    multiply: np.ndarray    # int64 [G, PEs]: vectors
    conflict: np.ndarray    # int64 [G, PEs]
    products: np.ndarray    # int64 [G, PEs]


@dataclass(frozen=True, kw_only=True)
class PassReport:
    """One pass. Cycles count from the fetch of its descriptor."""

    cycles: int             # until the fetch of the next one
    first_run: int          # the first group's `run`: before it, descriptor and inputs are loaded
    load_cycles: int        # of these, in the load section
    store_cycles: int       # after the last drain
    groups: Groups
    causes: dict[str, int]  # PE-cycles, of CAUSES; they sum to PEs x cycles
    remainder: int          # of the barrier: what dense data would have cost too
    behind: int             # of the starved: at most what the busiest PE of each group explains
    vectors: int
    products: int
    read_beats: int
    write_beats: int
    rate: tuple[int, int]   # token buckets' credit left, read and write


@njit
def _load(state, rows, inputs, size, source, beats, begin, free, banks):
    """The load section: (cycle in which it is reported loaded, decoder free)."""
    compute.begin_load(state, begin)
    for line in range(rows.target.shape[0]):
        offered = axi.next_line(source, beats, free)
        free = compute.take_line(state, rows, inputs, size, line, offered, banks)
    return compute.end_section(state), free


@njit
def _groups(state, weights, inputs, size, source, beats, run, free, drains, out, banks):
    """All groups; fills `out` and returns the cycle in which the last drain is seen idle."""
    group, idle = 0, 0
    compute.begin_group(state, run)
    for line in range(weights.target.shape[0]):
        offered = axi.next_line(source, beats, free)
        free = compute.take_line(state, weights, inputs, size, line, offered, banks)
        if not weights.end_group[line]:
            continue
        end = max(compute.flush(state) + 1, idle)
        out.run[group], out.end[group] = run, end
        out.flushed[group] = state.flushed
        out.multiply[group] = state.pipe[:, compute.MULTIPLY]
        out.conflict[group] = state.pipe[:, compute.CONFLICT]
        out.products[group] = state.pipe[:, compute.PRODUCTS]
        run, idle = end + 1, end + 2 + drains[group]
        group += 1
        compute.begin_group(state, run)
    return idle


def lines_of(table: LineTable, offset: np.ndarray, config: SCNNConfig) -> Lines:
    """Lines for the kernels."""
    return Lines(table.target, table.end_group, table.kind, table.first, table.last,
                 table.channel, np.ascontiguousarray(offset[..., :config.mults_f], np.int32))


def inputs_of(given: LayerPass, config: SCNNConfig) -> Inputs:
    """Addresses of the activations that a pass reads.

    Raises ValueError if they are not known before the run.
    """
    held = given.inputs
    if held is None:
        raise ValueError(f"{given.layer.name}: cycles need the activations in the input RAMs")
    shape = config.pes, config.max_channels
    start, count = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    channels = min(held.count.shape[1], config.max_channels)
    start[:, :channels], count[:, :channels] = held.start[:, :channels], held.count[:, :channels]
    owner = np.repeat(np.arange(config.pes), held.rows())
    address = given.bases[owner][:, None] + held.position * given.kc
    return Inputs(start, count, np.where(held.position < 0, NEVER, address).astype(np.int32))


def fields(given: LayerPass) -> dict[str, Any]:
    """The descriptor with every field; those that compile leaves out are 0."""
    out = dict.fromkeys((name for name, _ in COMMON_FIELDS), 0) | given.descriptor
    blank = dict.fromkeys((name for name, _ in TILE_FIELDS), 0)
    return out | {axis: [blank | tile for tile in given.descriptor[axis]]
                  for axis in ("rows", "cols")}


def emitted_by(given: LayerPass, config: SCNNConfig) -> Emitted:
    """What a pass leaves in the output RAMs. Raises ValueError if its outputs are not known."""
    if given.result is None:
        raise ValueError(f"{given.layer.name}: cycles need the outputs' zeros")
    return encode(np.asarray(given.result) != 0, fields(given), config)


def _fetch(source: axi.Reader, address: int, config: SCNNConfig) -> int:
    """Fetch of the descriptor, begun in cycle 0: cycle in which the sequencer sees it."""
    beats = descriptor_bytes(config) * 8 // config.memory_bits
    axi.command(source, 0, address * 8 // config.memory_bits, beats)
    return axi.next_line(source, beats, 0) - 1 + 3


def _ask(source: axi.Reader, cycle: int, descriptor: Mapping[str, Any],
         config: SCNNConfig) -> None:
    """The sequencer commands the load section's lines, then the weights'."""
    for section in (("load", "weight") if descriptor["load"] else ("weight",)):
        axi.command(source, cycle, descriptor[f"{section}_addr"] * 8 // config.memory_bits,
                       descriptor[f"{section}_lines"] * config.line_beats)


def run_pass(given: LayerPass, address: int, config: SCNNConfig, memory: Memory, *,
             cold: bool = False, rate: tuple[int, int] | None = None,
            ideal: bool = False) -> PassReport:
    """A pass whose descriptor lies at byte `address`.

    `cold`: the first pass after reset, which clears the accumulators. `rate`: credit of the token
    buckets, read and write (None: full). `ideal`: products never wait for a bank and are not
    counted, which makes the cycles a lower bound that is found much sooner.
    """
    descriptor = fields(given)
    source = axi.reader(config.memory_bits // 8, **memory.as_dict())
    full = sum(memory.bandwidth) - 1
    source.state[axi.RATE], write_rate = rate or (full, full)
    begin = _fetch(source, address, config)
    _ask(source, begin + 2, descriptor, config)
    state, size = compute.start(config), compute.sizes(config, ideal)
    inputs, banks = inputs_of(given, config), np.zeros(config.lanes, np.int64)
    ready = begin + 3 + (2 * drain.clear_all_cycles(config) if cold else 0)    # state LOAD
    free, load_cycles = 0, 0
    if given.load is not None:
        rows = lines_of(given.load, given.load.position, config)
        loaded, free = _load(state, rows, inputs, size, source, config.line_beats, begin + 1,
                             free, banks)
        load_cycles = max(0, loaded + 1 - ready)
        ready = max(ready, loaded + 1)
    groups = Groups(*(np.zeros(shape, np.int64) for shape in [(given.groups,)] * 2 + [
        (given.groups, config.pes)] * 4))
    emitted = emitted_by(given, config)
    drains = drain.drain_cycles(descriptor, config, emitted.done)
    idle = _groups(state, lines_of(given.weights, given.offsets, config), inputs, size, source,
                   config.line_beats, ready + 1, free, drains, groups, banks)
    end, write_beats = idle + 1, 0
    if descriptor["store"]:
        writer = axi.writer(config.memory_bits // 8, **memory.as_dict())
        writer.state[axi.W_RATE] = _refill(write_rate, idle + 1, memory)
        stored = store.store(emitted.encoded, descriptor["out_channels"], config, writer,
                             idle + 1, descriptor["store_addr"], descriptor["store_lines"])
        end, write_beats = stored.done + 1, stored.beats
        write_rate = _refill(writer.state[axi.W_RATE], end + 2 - stored.done, memory)
    else:
        write_rate = _refill(write_rate, end + 2, memory)
    cycles = end + 2
    read_rate = _refill(source.state[axi.RATE], cycles - source.state[axi.NOW], memory)
    return PassReport(
        cycles=cycles, first_run=ready + 1, load_cycles=load_cycles, store_cycles=end - idle - 1,
        groups=groups, remainder=barrier(groups, given), behind=_behind(groups),
        causes=_causes(groups, config.pes, cycles, idle, begin if descriptor["load"] else None),
        vectors=int(groups.multiply.sum()), products=int(groups.products.sum()),
        read_beats=int(source.state[axi.MOVED]), write_beats=write_beats,
        rate=(read_rate, write_rate))


def _refill(credit: int, cycles: int, memory: Memory) -> int:
    beats, per = memory.bandwidth
    return int(min(beats + per - 1, credit + max(0, cycles) * beats))


def _causes(groups: Groups, pes: int, cycles: int, idle: int,
            load_from: int | None) -> dict[str, int]:
    """PE-cycles by cause, as the sequencer's counters have them."""
    latest = groups.flushed.max(axis=1)
    multiply, conflict = int(groups.multiply.sum()), int(groups.conflict.sum())
    active = int((groups.flushed - groups.run[:, None]).sum())
    first = int(groups.run[0])
    following = np.append(groups.run[1:], idle)
    causes = {
        "load": 0 if load_from is None else pes * (first - load_from - 1),
        "multiply": multiply,
        "conflict": conflict,
        "starved": active - multiply - conflict,
        "drain": pes * (1 + int((following - latest).sum())),
        "barrier": int((latest[:, None] - groups.flushed).sum()),
    }
    return {"idle": pes * cycles - sum(causes.values())} | causes


def barrier(groups: Groups, given: LayerPass) -> int:
    """The barrier's PE-cycles that dense data would have cost too: the planar remainder.

    A PE's dense work is the area of its input tile (channels are dealt evenly over the PEs of a
    split layer: no remainder). If the PE with the most needs T cycles for a group, one with a share
    s of that work would need s T and wait (1 - s) T: that, at most the wait it really has, is its
    remainder. The rest of the barrier is sparsity imbalance.
    """
    if given.split:
        return 0
    work = np.outer(given.rows.width, given.cols.width).ravel()
    most = max(1, int(work.max()))
    latest = groups.flushed.max(axis=1)
    wait = latest[:, None] - groups.flushed
    dense = (latest - groups.run)[:, None] * (most - work)[None, :] // most
    return int(np.minimum(wait, dense).sum())


def _behind(groups: Groups) -> int:
    """Starved PE-cycles, in each group at most the busiest PE's lead over this one."""
    busy = groups.multiply + groups.conflict
    starved = groups.flushed - groups.run[:, None] - busy
    return int(np.minimum(starved, busy.max(axis=1)[:, None] - busy).sum())
