"""One pass of SCNN (a descriptor) from its fetch to its end: every cycle, by cause.

A pass begins with everything idle, so it can be computed apart from the passes before it: time is
counted from the cycle in which the shell begins to fetch its descriptor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from golden.jit import njit
from golden.scnn import compute, drain, lines, reader, store
from golden.scnn.compute import NEVER, Inputs
from golden.scnn.emit import Emitted, Encoded
from hw.scnn.config import SCNNConfig

CAUSES = ("idle", "load", "multiply", "conflict", "starved", "drain", "barrier")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The bench memory: cycles, bursts, (beats, cycles)."""

    latency: int = 64
    outstanding: int = 8
    bandwidth: tuple[int, int] = (1, 1)

    def as_dict(self) -> dict[str, Any]:
        return {"latency": self.latency, "outstanding": self.outstanding,
                "bandwidth": self.bandwidth}


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
        offered = reader.next_line(source, beats, free)
        free = compute.take_line(state, rows, inputs, size, line, offered, banks)
    return compute.end_section(state), free


@njit
def _groups(state, weights, inputs, size, source, beats, run, free, drains, out, banks):
    """All groups; fills `out` and returns the cycle in which the last drain is seen idle."""
    group, idle = 0, 0
    compute.begin_group(state, run)
    for line in range(weights.target.shape[0]):
        offered = reader.next_line(source, beats, free)
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


def inputs_of(encoded: Encoded, descriptor: Mapping[str, Any], config: SCNNConfig) -> Inputs:
    """Addresses of the activations that a pass reads."""
    base = [row["base_sums"] + col["base_sums"]
            for row in descriptor["rows"] for col in descriptor["cols"]]
    shape = config.pes, config.max_channels
    start, count = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    channels = min(encoded.count.shape[1], config.max_channels)
    start[:, :channels] = encoded.start[:, :channels]
    count[:, :channels] = encoded.count[:, :channels]
    address = np.full(encoded.position.shape, NEVER, np.int32)
    for pe in range(config.pes):
        for at, rows in zip(start[pe][count[pe] > 0], count[pe][count[pe] > 0], strict=True):
            position = encoded.position[at:at + rows]
            address[at:at + rows] = np.where(
                position == NEVER, NEVER, base[pe] + position * descriptor["kc"])
    return Inputs(start, count, address)


def _fetch(source: reader.Reader, address: int, config: SCNNConfig) -> int:
    """Fetch of the descriptor, begun in cycle 0: cycle in which the sequencer sees it."""
    beat = config.memory_bits // 8
    beats = -(-lines.descriptor_bytes(config) // beat)
    reader.command(source, 0, address // beat, beats)
    return reader.next_line(source, beats, 0) - 1 + 3


def _ask(source: reader.Reader, cycle: int, descriptor: Mapping[str, Any],
         config: SCNNConfig) -> None:
    """The sequencer commands the load section's lines, then the weights'."""
    beat = config.memory_bits // 8
    for section in (("load", "weight") if descriptor["load"] else ("weight",)):
        reader.command(source, cycle, descriptor[f"{section}_addr"] // beat,
                       descriptor[f"{section}_lines"] * config.line_beats)


def run_pass(image: np.ndarray, address: int, config: SCNNConfig, held: Encoded | None,
             emitted: Emitted, *, memory: Memory, cold: bool = False,
             rate: tuple[int, int] | None = None,
             work: np.ndarray | None = None) -> PassReport:
    """The pass whose descriptor lies at byte `address` of `image` (uint8).

    `held` is what the input RAMs hold if the pass loads nothing, `emitted` what it leaves in the
    output RAMs. `cold`: the first pass after reset, which clears the accumulators. `rate`: credit
    of the token buckets (None: full). `work`: dense work of the PEs in any unit, see `barrier`.
    """
    beat = config.memory_bits // 8
    descriptor = lines.descriptor(image, address, config)
    source = reader.reader(beat, **memory.as_dict())
    if rate is not None:
        source.state[reader.RATE] = rate[0]
    begin = _fetch(source, address, config)
    _ask(source, begin + 2, descriptor, config)
    state, size = compute.start(config), compute.sizes(config)
    banks = np.zeros(config.lanes, np.int64)
    ready = begin + 3 + (2 * drain.clear_all_cycles(config) if cold else 0)    # state LOAD
    free, load_cycles = 0, 0
    if descriptor["load"]:
        raw = lines.parse(image, descriptor["load_addr"], descriptor["load_lines"], config)
        held = lines.rows(raw, config)
        loaded, free = _load(state, lines.load_lines(raw, config), _no_inputs(config), size,
                             source, config.line_beats, begin + 1, free, banks)
        load_cycles = max(0, loaded + 1 - ready)
        ready = max(ready, loaded + 1)
    assert held is not None
    raw = lines.parse(image, descriptor["weight_addr"], descriptor["weight_lines"], config)
    weights = lines.weights(raw, descriptor, config)
    count = descriptor["groups"]
    groups = Groups(*(np.zeros(shape, np.int64) for shape in [(count,)] * 2 + [
        (count, config.pes)] * 4))
    drains = drain.drain_cycles(descriptor, config, emitted.done)
    idle = _groups(state, weights, inputs_of(held, descriptor, config), size, source,
                   config.line_beats, ready + 1, free, drains, groups, banks)
    end, write_beats, write_rate = idle + 1, 0, _write_rate(memory, rate)
    if descriptor["store"]:
        writer = store.write_memory(beat, **memory.as_dict())
        writer.credit[0] = write_rate
        stored = store.store(emitted.encoded, descriptor["out_channels"], config, writer,
                             idle + 1, descriptor["store_addr"])
        end, write_beats = stored.done + 1, stored.beats
        write_rate = _refill(writer.credit[0], end - writer.credit[1] + 2, memory)
    cycles = end + 2
    read_rate = _refill(source.state[reader.RATE], cycles - source.state[reader.NOW], memory)
    causes = _causes(groups, config.pes, cycles, idle, begin if descriptor["load"] else None)
    return PassReport(
        cycles=cycles, first_run=ready + 1, load_cycles=load_cycles, store_cycles=end - idle - 1,
        groups=groups, causes=causes, remainder=barrier(groups, config, descriptor, work),
        vectors=int(groups.multiply.sum()), products=int(groups.products.sum()),
        read_beats=int(source.state[reader.MOVED]), write_beats=write_beats,
        rate=(read_rate, write_rate))


def _no_inputs(config: SCNNConfig) -> Inputs:
    nothing = np.zeros((config.pes, config.max_channels), np.int32)
    return Inputs(nothing, nothing, np.zeros((0, config.mults_i), np.int32))


def _refill(credit: int, cycles: int, memory: Memory) -> int:
    beats, per = memory.bandwidth
    return int(min(beats + per - 1, credit + max(0, cycles) * beats))


def _write_rate(memory: Memory, rate: tuple[int, int] | None) -> int:
    return sum(memory.bandwidth) - 1 if rate is None else rate[1]


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


def barrier(groups: Groups, config: SCNNConfig, descriptor: Mapping[str, Any],
            work: np.ndarray | None = None) -> int:
    """The barrier's PE-cycles that dense data would have cost too: the planar remainder.

    If the PE with the most dense work needs T cycles for a group, one with a share s of that work
    would need s T and wait (1 - s) T: that, at most the wait it really has, is its remainder.
    The rest of the barrier is sparsity imbalance. `work` per PE (any unit) is the area of its
    output tile if not given; where one PE alone has all of it, the PEs count as equal.
    """
    if work is None:
        area = np.outer([tile["size"] for tile in descriptor["rows"]],
                        [tile["size"] for tile in descriptor["cols"]]).ravel()
        work = area if (area > 0).sum() > 1 else np.ones(config.pes, np.int64)
    most = int(work.max())
    latest = groups.flushed.max(axis=1)
    wait = latest[:, None] - groups.flushed
    dense = (latest - groups.run)[:, None] * (most - work)[None, :] // most
    return int(np.minimum(wait, dense).sum())
