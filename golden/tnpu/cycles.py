"""The cycle model: both queues, their executors, the semaphores and the bus, event by event.

Exact for the bench's memory (``hw/CYCLES.md``) at one beat per cycle and direction and at least
`IN_FLIGHT` bursts outstanding: TNPU paces itself, at ``rate_beats`` in ``rate_cycles``. The rules
are those of ``hw/tnpu/README.md``, *Cycles of an instruction*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from golden.formats.lines import line_bytes
from golden.jit import njit
from golden.program import PAGE, Memory
from golden.tnpu.nest import duration, group_cycles
from hw.tnpu.config import BURST, CAUSES, IN_FLIGHT, TNPUConfig
from hw.tnpu.instruction import DESCRIPTOR_FIELDS, INSTRUCTION_BITS, Op, Opcode

READ = 5                # cycles from a read's grant to its first beat, latency aside
ARRIVE = 2              # cycles from an instruction's last beat until it can be taken
FETCH = 7               # from a descriptor's fetch to the engine's sight of it, likewise
NEVER = np.int64(1) << 62

COMPUTE, LOAD, STORE = 0, 1, 2
UNITS = "cf"


@dataclass(frozen=True)
class Queue:
    """A unit's instructions as arrays, one entry each, int64.

    kind : COMPUTE, LOAD or STORE
    wait, signal : masks of semaphores
    duration, issues : cycles of a compute instruction, and those with an issue
    multiplies : its issues multiply
    address, beats, chunks, stride : a transfer's, bytes and words
    """

    kind: np.ndarray
    wait: np.ndarray
    signal: np.ndarray
    duration: np.ndarray
    issues: np.ndarray
    multiplies: np.ndarray
    address: np.ndarray
    beats: np.ndarray
    chunks: np.ndarray
    stride: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)


def multiplies(instruction: Mapping[str, int]) -> bool:
    """Its issues are multiplications."""
    opcode = instruction["opcode"]
    return opcode in (Opcode.STREAM, Opcode.LOCAL) or (
        opcode == Opcode.VECTOR and instruction["op"] in (Op.AXPY, Op.SWAP))


def entry(one: Mapping[str, int], config: TNPUConfig, unit: str, offset: int) -> tuple[int, ...]:
    common = one["wait"], one["signal"]
    if one["opcode"] in (Opcode.LOAD, Opcode.STORE):
        address = one["address"] + offset * one["relative"]
        stride = one["stride"] - (one["stride"] >> 31 << 32)
        return (LOAD if one["opcode"] == Opcode.LOAD else STORE, *common, 0, 0, 0,
                address % (1 << config.addr_bits), one["beats"], one["chunks"], stride)
    groups, cycles = group_cycles(one)
    issued = groups * (cycles - one["gap"] + (one["opcode"] == Opcode.POOL))
    return (COMPUTE, *common, duration(one, config, unit), issued, multiplies(one), 0, 0, 0, 0)


def queue(words: Sequence[Mapping[str, int]], config: TNPUConfig, unit: str,
          offset: int = 0) -> Queue:
    """A queue from its instructions' fields."""
    entries = [entry(one, config, unit, offset) for one in words]
    table = np.array(entries, np.int64).reshape(len(entries), len(fields(Queue)))
    return Queue(*(np.ascontiguousarray(column) for column in table.T))


@dataclass(frozen=True)
class Report:
    """A program's run.

    cycles : from start to irq
    causes : PE-cycles by cause, both units; they sum to PEs × cycles
    counters : cycles in which a unit multiplied, had a compute instruction under way, and in which
        a burst of its transfers waited for the bus
    taken, ended : per unit, per instruction: the cycle in which it was taken, in which it ended
    read_beats, write_beats : over the bus
    """

    cycles: int
    causes: dict[str, int]
    counters: dict[str, int]
    taken: tuple[np.ndarray, np.ndarray]
    ended: tuple[np.ndarray, np.ndarray]
    read_beats: int
    write_beats: int


def run(queues: Sequence[Queue], config: TNPUConfig, memory: Memory, queue_at: Sequence[int],
        share_c: int = 0) -> Report:
    """One program, PU-c's and PU-f's queue, from a start of its own; `share_c`: the descriptor's.

    Raises ValueError for a memory that the model does not cover, and if the program waits for
    tokens that nothing signals.
    """
    if memory.bandwidth != (1, 1) or memory.outstanding < IN_FLIGHT:
        raise ValueError(f"the memory must give a beat per cycle and hold {IN_FLIGHT} bursts: "
                         "rate_beats and rate_cycles set the bandwidth, "
                         f"not {memory.bandwidth} with {memory.outstanding}")
    beat = config.word_bytes
    descriptor = -(-(sum(bits for _, bits in DESCRIPTOR_FIELDS) + 32) // config.memory_bits)
    begin = 2 + FETCH + memory.latency + descriptor - 1     # the engine sees the descriptor
    parts = ((config.rate_beats, config.rate_cycles),) * 2
    if share_c:
        parts = tuple((config.rate_beats * part, config.rate_cycles * 256)      # type: ignore
                      for part in (share_c, 256 - share_c))
    taken = tuple(np.full(len(q), -1, np.int64) for q in queues)
    ended = tuple(np.full(len(q), -1, np.int64) for q in queues)
    waited, bus_wait = np.zeros(2, np.int64), np.zeros(2, np.int64)
    end = _run(*(tuple(getattr(q, f.name) for f in fields(Queue)) for q in queues),
               np.array(queue_at, np.int64), np.array(parts, np.int64), share_c > 0,
               config.queue_depth, line_bytes(INSTRUCTION_BITS, config.memory_bits) // beat, beat,
               memory.latency, begin, *taken, *ended, waited, bus_wait)
    if end < 0:
        raise ValueError("every instruction must get its tokens: some wait for signals that "
                         "nothing gives")
    return _report(queues, config, int(end) + 3, taken, ended, waited, bus_wait, descriptor)


def _report(queues: Sequence[Queue], config: TNPUConfig, cycles: int,
            taken: tuple[np.ndarray, ...], ended: tuple[np.ndarray, ...], waited: np.ndarray,
            bus_wait: np.ndarray, descriptor: int) -> Report:
    causes = dict.fromkeys(CAUSES, 0)
    counters: dict[str, int] = {}
    for n, (unit, q) in enumerate(zip(UNITS, queues, strict=True)):
        pes = config.rows(unit) * config.lanes
        compute = q.kind == COMPUTE
        multiply = int(q.issues[compute & (q.multiplies != 0)].sum())
        other = int(q.issues[compute].sum()) - multiply
        under_way = int(q.duration[compute].sum())
        latency = under_way - multiply - other
        known = multiply + other + latency + int(waited[n])
        for cause, count in zip(CAUSES, (cycles - known, multiply, other, latency,
                                         int(waited[n])), strict=True):
            causes[cause] += pes * count
        counters |= {f"multiply_{unit}": multiply,
                     f"busy_{unit}": under_way - int(compute.sum()),
                     f"bus_wait_{unit}": int(bus_wait[n])}
    line = line_bytes(INSTRUCTION_BITS, config.memory_bits) // config.word_bytes
    read = sum(int((q.beats * q.chunks)[q.kind == LOAD].sum()) + line * len(q) for q in queues)
    written = sum(int((q.beats * q.chunks)[q.kind == STORE].sum()) for q in queues)
    return Report(cycles, causes, counters, (taken[0], taken[1]), (ended[0], ended[1]),
                  read + descriptor, written)


@njit
def _earliest_debt(debt, since, earned, now):
    """The first cycle from `now` on in which the debt is below what a cycle pays off."""
    rest = debt - earned * (now - since)
    return now if rest < earned else now + -(-(rest - earned + 1) // earned)


@njit
def _add(tokens, there, mask, amount):
    """Adds to the semaphores of the mask; returns which are above 0."""
    b = 0
    while mask:
        if mask & 1:
            tokens[b] += amount
            there = there | 1 << b if tokens[b] > 0 else there & ~(1 << b)
        mask >>= 1
        b += 1
    return there


@njit
def _run(c, f, queue_at, parts, shared_out, depth, line, beat, latency, begin, taken_c, taken_f,
         ended_c, ended_f, waited, bus_wait):
    """Fills `taken`, `ended` and the waits; returns the cycle in which the last instruction ends,
    -1 if some never do."""
    taken, ended = (taken_c, taken_f), (ended_c, ended_f)
    instructions = (c, f)
    tokens, there = np.zeros(32, np.int64), np.int64(0)      # there: which are above 0
    # Per unit: instructions in the order of each executor, how far each is.
    order = (np.flatnonzero(c[0] == COMPUTE), np.flatnonzero(f[0] == COMPUTE),
             np.flatnonzero(c[0] != COMPUTE), np.flatnonzero(f[0] != COMPUTE))
    at = np.zeros(4, np.int64)              # compute c, f; transfers c, f
    free = np.zeros(4, np.int64)            # the executor can take from this cycle on
    arrived = (np.full(len(c[0]), NEVER, np.int64), np.full(len(f[0]), NEVER, np.int64))
    done = np.full(2, NEVER, np.int64)      # of the compute instruction under way
    running = np.full(2, -1, np.int64)
    asked, pending = np.zeros(2, np.int64), np.zeros(2, np.int64)
    # The transfer under way: its instruction, addresses, what is left; when its burst asks first.
    moving = np.full(2, -1, np.int64)
    address, chunk = np.zeros(2, np.int64), np.zeros(2, np.int64)
    left, chunks, since = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64)
    debt, debt_at = np.zeros(2, np.int64), np.zeros(2, np.int64)
    # Bursts under way, each way a ring: when it ends, whose it is, the instruction that it ends.
    ring = np.zeros((2, IN_FLIGHT, 3), np.int64)
    first, count = np.zeros(2, np.int64), np.zeros(2, np.int64)
    read_end, write_begin, write_beats, bus_end, answer = begin, begin, 0, begin, begin
    last_grant, finish, open_ones = 3, begin, len(c[0]) + len(f[0])
    now = begin + 1
    line_address = queue_at.copy()
    while open_ones:
        changed, later = False, NEVER
        # Requests as they stand at the start of the cycle.
        wants = np.zeros(4, np.bool_)
        for u in range(2):
            wants[u] = moving[u] >= 0 and since[u] <= now
            wants[2 + u] = asked[u] < len(instructions[u][0]) and pending[u] < depth
        inflight = count.copy()
        # Executors, in the order of their priority at the semaphores.
        gone = np.int64(0)
        left_queue = np.zeros(2, np.int64)
        for k in range(4):
            u, transfer = k // 2, k % 2
            e = u + 2 * transfer
            if at[e] == len(order[e]):
                continue
            n = order[e][at[e]]
            can = max(arrived[u][n], free[e])
            if can > now:
                if can < later:
                    later = can
                continue
            wait = instructions[u][1][n]
            if wait & ~(there & ~gone):
                continue
            gone |= wait
            changed = True
            taken[u][n] = now
            at[e] += 1
            if transfer:
                moving[u], since[u], free[e] = n, now + 1, NEVER
                address[u] = chunk[u] = instructions[u][6][n]
                left[u], chunks[u] = instructions[u][7][n], instructions[u][8][n]
                left_queue[u] += 1
            else:
                waited[u] += now - can
                running[u], done[u] = n, now + instructions[u][3][n] - 1
                free[e] = NEVER
        # The bus: the first in turn of those that may.
        grant = -1
        for turn in range(1, 5):
            k = (last_grant + turn) % 4
            if not wants[k]:
                continue
            u = k % 2
            way = 0
            if k < 2 and instructions[u][0][moving[u]] == STORE:
                way = 1
            if inflight[way] == IN_FLIGHT:
                continue
            d = u if shared_out else 0
            may = _earliest_debt(debt[d], debt_at[d], parts[d, 0], now)
            if may > now:
                if may < later:
                    later = may
                continue
            grant = k
            break
        if grant >= 0:
            changed, last_grant = True, grant
            u, way, ends, size = grant % 2, 0, -1, line
            if grant >= 2:
                ends = asked[u]
                asked[u] += 1
                pending[u] += 1
                line_address[u] += line * beat
            else:
                n = moving[u]
                way = 1 if instructions[u][0][n] == STORE else 0
                size = min(left[u], BURST, (PAGE - address[u] % PAGE) // beat)
                bus_wait[u] += now - since[u]
                since[u] = now + 1
                left[u] -= size
                address[u] += size * beat
                if left[u] == 0:
                    chunks[u] -= 1
                    chunk[u] += instructions[u][9][n]
                    address[u], left[u] = chunk[u], instructions[u][7][n]
                    if chunks[u] == 0:
                        ends, moving[u], free[2 + u] = n, -1, now + 1
            d = u if shared_out else 0
            rest = max(0, debt[d] - parts[d, 0] * (now - debt_at[d]))
            debt[d], debt_at[d] = max(0, rest + size * parts[d, 1] - parts[d, 0]), now + 1
            if way == 0:
                read_end = max(now + READ + latency, read_end + 1) + size - 1
                when = read_end
            else:
                write_begin = max(now + 1, write_begin + write_beats)
                write_beats = size
                bus_end = max(write_begin + size + 3, bus_end + 1) + size - 1
                answer = max(bus_end + latency, answer + 1)
                when = answer + 1
            slot = (first[way] + count[way]) % IN_FLIGHT
            ring[way, slot, 0], ring[way, slot, 1], ring[way, slot, 2] = when, grant, ends
            count[way] += 1
        # What ends in this cycle; it is seen in the next one.
        there = _add(tokens, there, gone, -1)
        for u in range(2):
            pending[u] -= left_queue[u]
            if done[u] == now:
                n = running[u]
                ended[u][n], finish, changed = now, now, True
                open_ones -= 1
                pending[u] -= 1
                done[u], free[u] = NEVER, now + 1
                there = _add(tokens, there, instructions[u][2][n], 1)
            elif done[u] < later:
                later = done[u]
        for way in range(2):
            if count[way] and ring[way, first[way], 0] == now:
                grant, n = ring[way, first[way], 1], ring[way, first[way], 2]
                first[way] = (first[way] + 1) % IN_FLIGHT
                count[way] -= 1
                changed = True
                u = grant % 2
                if grant >= 2:
                    arrived[u][n] = now + ARRIVE
                elif n >= 0:
                    ended[u][n], finish = now, now
                    open_ones -= 1
                    there = _add(tokens, there, instructions[u][2][n], 1)
            if count[way] and ring[way, first[way], 0] < later:
                later = ring[way, first[way], 0]
        if changed:
            now += 1
        elif later == NEVER:
            return -1
        else:
            now = max(now + 1, later)
    return finish
