"""What the broadcast tree and the PEs do in which cycle, from lines to the barrier.

Recurrences instead of stepping: every register's load time is the largest of a few earlier times;
only the crossbar is stepped, and only while it holds products. Lines are taken one by one in
order; a PE handles a block when its last slot is there. That is enough, because the room for a
line depends on blocks that end before it (a block spans at most ``fifo_lines`` lines).

Times are absolute cycles: "loads in t" means at the edge that ends t. See ``hw/scnn/README.md``,
"Cycles inside a PE".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from golden.jit import borrowed, njit
from golden.scnn import crossbar
from golden.scnn.crossbar import bank_of
from hw.scnn.config import SCNNConfig

EMPTY, WEIGHT, BIAS, ROW = range(4)     # kinds of slots
ALL = 0xFFFF                            # target of a broadcast line
BLOCKS, ROWS = 3, 4                     # queues of the activation fetch
NEVER = -1


class Lines(NamedTuple):
    """Decoded lines in order; first index the line, second the slot."""

    target: np.ndarray       # int32 [E]: PE or ALL
    end_group: np.ndarray    # bool [E]
    kind: np.ndarray         # int8 [E, weight_bus]
    first: np.ndarray        # bool [E, weight_bus]
    last: np.ndarray         # bool [E, weight_bus]
    channel: np.ndarray      # int32 [E, weight_bus]
    offset: np.ndarray       # int32 [E, weight_bus, F]: of non-zero weights, else NEVER


class Inputs(NamedTuple):
    """What the PEs' input RAMs hold: rows of I addresses, base included, NEVER for zeros."""

    start: np.ndarray        # int32 [PEs, channels]: first row, an index into `address`
    count: np.ndarray        # type: ignore[assignment]  # int32 [PEs, channels]: rows
    address: np.ndarray      # int32 [rows, I]


class State(NamedTuple):
    """The array between two lines. One value per PE unless another shape is given."""

    tree: np.ndarray         # int64 [6]: `_TREE` below
    row_load: np.ndarray     # int64 [pe_rows]: load of the row register
    row_takes: np.ndarray    # int64 [pe_rows]: last take of its line
    kept: np.ndarray         # lines stored so far
    release: np.ndarray      # [PEs, fifo_lines]: of kept line n at n mod fifo_lines
    pipe: np.ndarray         # int64 [PEs, PIPE]: fields below
    scan_line: np.ndarray    # scan arrives at the next line
    scan: np.ndarray         # last channel scanned
    blocks: np.ndarray       # blocks run so far
    block_read: np.ndarray   # [PEs, BLOCKS]: last row read of block n at n mod BLOCKS
    row_pop: np.ndarray      # [PEs, ROWS]: row n left the queue, at n mod ROWS
    queues: np.ndarray       # [PEs, lanes, 2]
    levels: np.ndarray       # [PEs, lanes, 2]
    open_slots: np.ndarray   # slots of the block that is not complete
    slot_load: np.ndarray    # [PEs, fifo_entries]: load of its line
    slot_line: np.ndarray    # [PEs, fifo_entries]: its line's number if it ends it, else NEVER
    slot_at: np.ndarray      # [PEs, fifo_entries]: line * weight_bus + slot
    ended: np.ndarray        # the slot that ended the group
    flushed: np.ndarray      # cycle d: registers and queues seen empty


# State.tree
STAGE1, STAGE2, ROOT, HELD, RUN, LAST_TAKE = range(6)
# State.pipe: what a PE does after the weight FIFO
(
    TAKE,           # last slot taken
    READ, READS,    # last activation row read; rows read so far
    PRODUCT, PUSH,  # the last vector loads the product register, enters the queues
    PRODUCT_BEFORE, PUSH_BEFORE,    # the vector before it
    CYCLE, WAITING,     # next cycle to step the crossbar in; products in its queues
    MULTIPLY, CONFLICT, PRODUCTS,   # of the group: vectors, cycles of waiting, products
    PIPE,
) = range(13)


def start(config: SCNNConfig) -> State:
    """The idle array, at cycle 0."""
    pes, rows = config.pes, config.pe_rows
    queues, levels = crossbar.state(config, pes)

    def past(*shape):
        return np.full(shape, -10, np.int64)

    def zeros(*shape):
        return np.zeros(shape, np.int64)

    pipe = past(pes, PIPE)
    pipe[:, [READS, WAITING]] = 0
    return State(
        tree=past(6), row_load=past(rows), row_takes=past(rows), kept=zeros(pes),
        release=past(pes, config.fifo_lines), pipe=pipe, scan_line=past(pes),
        scan=past(pes), blocks=zeros(pes), block_read=past(pes, BLOCKS),
        row_pop=past(pes, ROWS), queues=queues, levels=levels,
        open_slots=zeros(pes), slot_load=zeros(pes, config.fifo_entries),
        slot_line=zeros(pes, config.fifo_entries), slot_at=zeros(pes, config.fifo_entries),
        ended=zeros(pes), flushed=zeros(pes))


class Sizes(NamedTuple):
    """Configuration that the kernels need."""

    pe_cols: int
    fifo_lines: int
    depth: int              # of the crossbar's queues; 0: without end and without conflicts
    bank_bits: int


def sizes(config: SCNNConfig, ideal: bool = False) -> Sizes:
    depth = 0 if ideal else config.queue_depth
    return Sizes(config.pe_cols, config.fifo_lines, depth, config.bank_bits)


@njit
def begin_group(state, run):
    """`command.run` is seen in cycle `run`: slots may be taken from the next one."""
    state.tree[RUN] = run
    state.ended[:] = NEVER
    state.pipe[:, MULTIPLY:] = 0


@njit
def begin_load(state, cycle):
    """`command.load` is high from `cycle` on: ROW slots may be taken."""
    state.tree[RUN] = cycle - 1


@njit
def settle(pipe, queues, levels, run):
    """Steps a PE's crossbar until it is empty."""
    while pipe[WAITING] > 0:
        pipe[WAITING] -= crossbar.grant(queues, levels, (pipe[CYCLE] - run) & 1)
        pipe[CYCLE] += 1


@njit(inline="always")
def _banks(banks, offsets, addresses, bank_bits):
    """Bank of each product of a vector, -1 where an operand is zero."""
    lane = 0
    for f in range(offsets.shape[0]):
        for i in range(addresses.shape[0]):
            bank = bank_of(np.int64(offsets[f]) + addresses[i], bank_bits)
            banks[lane] = bank if (offsets[f] | addresses[i]) >= 0 else -1
            lane += 1


@borrowed
def _row(pipe, queues, levels, banks, offset, slot_at, slots, addresses, earliest, loads, slot_line,
         release, run, depth, bank_bits):
    """One pass of a block: its slots with one row of activations, seen from `earliest` on.

    `loads`: when the slots' lines were stored, or empty if that is long ago. `release`: filled for
    the lines that end here, or empty if this is not the last pass. (Few arguments and locals
    because this is where the model spends its time.)
    """
    take, product, push = max(pipe[TAKE], earliest - 1), pipe[PRODUCT], pipe[PUSH]
    cycle, waiting = pipe[CYCLE], pipe[WAITING]
    conflict, products = np.int64(0), np.int64(0)
    for n in range(slots):
        take = max(take + 1, product)
        if len(loads):
            take = max(take, loads[n] + 1)
        if len(release) and slot_line[n] != NEVER:
            release[slot_line[n] % len(release)] = take
        pipe[PRODUCT_BEFORE], pipe[PUSH_BEFORE] = product, push
        product = max(take + 1, push)
        if depth == 0:
            push = product + 1
            continue
        _banks(banks, offset[slot_at[n]], addresses, bank_bits)
        while waiting > 0 and cycle <= product:
            waiting -= crossbar.grant(queues, levels, (cycle - run) & 1)
            cycle += 1
        cycle = product + 1
        enters = False
        while not enters:
            enters = crossbar.fits(levels, banks, depth)
            if waiting > 0:
                waiting -= crossbar.grant(queues, levels, (cycle - run) & 1)
            cycle += 1
        count = crossbar.push(queues, levels, banks)
        push = cycle - 1
        waiting += count
        products += count
        conflict += push - product - 1
    pipe[TAKE], pipe[PRODUCT], pipe[PUSH] = take, product, push
    pipe[CYCLE], pipe[WAITING] = cycle, waiting
    pipe[MULTIPLY] += slots
    pipe[CONFLICT] += conflict
    pipe[PRODUCTS] += products


@njit(inline="always")
def _run_block(state, lines, inputs, size, pe, channel, banks):
    """All passes of the complete block whose slots are listed in the state."""
    bus = lines.kind.shape[1]
    offset = lines.offset.reshape(lines.kind.shape[0] * bus, lines.offset.shape[2])
    pipe, queues, levels = state.pipe[pe], state.queues[pe], state.levels[pe]
    slot_at, slot_line, loads = state.slot_at[pe], state.slot_line[pe], state.slot_load[pe]
    row_pop, release, run = state.row_pop[pe], state.release[pe], state.tree[RUN]
    slots, scan = state.open_slots[pe], state.scan[pe]
    count, start_row = inputs.count[pe, channel], inputs.start[pe, channel]
    for row in range(count):
        at = pipe[READS] % ROWS
        pipe[READ] = max(pipe[READ] + 1, row_pop[at] + 1, scan + 2)
        _row(pipe, queues, levels, banks, offset, slot_at, slots, inputs.address[start_row + row],
             max(run + 1, pipe[READ] + 2), loads if row == 0 else loads[:0], slot_line,
             release if row == count - 1 else release[:0], run, size.depth, size.bank_bits)
        row_pop[at] = pipe[TAKE]
        pipe[READS] += 1
    state.block_read[pe, state.blocks[pe] % BLOCKS] = pipe[READ]
    state.blocks[pe] += 1
    state.open_slots[pe] = 0


@njit(inline="always")
def _wanted(lines, inputs, line, slot, pe):
    kind = lines.kind[line, slot]
    if kind == WEIGHT:
        return inputs.count[pe, lines.channel[line, slot]] > 0
    return kind != EMPTY


@njit(inline="always")
def _keep(state, lines, inputs, size, pe, line, final, load, banks):
    """Line `line` is stored by `pe` in cycle `load`: scans it, runs what is complete.

    `final` is its last wanted slot.
    """
    bus = lines.kind.shape[1]
    number, scanned = state.kept[pe], False
    state.kept[pe] += 1
    at_line = max(state.scan_line[pe], load + 1)
    for slot in range(final + 1):
        if not _wanted(lines, inputs, line, slot, pe):
            continue
        ends = number if slot == final else NEVER
        if lines.kind[line, slot] != WEIGHT:
            state.pipe[pe, TAKE] = max(state.pipe[pe, TAKE] + 1, state.tree[RUN] + 1, load + 1)
            if ends != NEVER:
                state.release[pe, number % size.fifo_lines] = state.pipe[pe, TAKE]
            continue
        if lines.first[line, slot]:
            room = state.block_read[pe, state.blocks[pe] % BLOCKS] + 1
            state.scan[pe] = max(at_line, state.scan[pe] + 1, room)
            scanned = True
        n = state.open_slots[pe]
        state.open_slots[pe] = n + 1
        state.slot_load[pe, n], state.slot_line[pe, n] = load, ends
        state.slot_at[pe, n] = line * bus + slot
        if lines.last[line, slot]:
            _run_block(state, lines, inputs, size, pe, lines.channel[line, slot], banks)
    state.scan_line[pe] = (state.scan[pe] if scanned else at_line) + 1
    if final == NEVER:                              # end_group, nothing wanted
        state.pipe[pe, TAKE] = max(state.pipe[pe, TAKE] + 1, state.tree[RUN] + 1, load + 1)
        state.release[pe, number % size.fifo_lines] = state.pipe[pe, TAKE]


@njit(inline="always")
def _final(lines, inputs, line, pe):
    """The last slot of the line that this PE wants; NEVER if there is none."""
    if lines.target[line] != ALL and lines.target[line] != pe:
        return NEVER
    for slot in range(lines.kind.shape[1] - 1, -1, -1):
        if _wanted(lines, inputs, line, slot, pe):
            return slot
    return NEVER


@borrowed
def take_line(state, lines, inputs, size, line, offered, banks):
    """Line `line` of `lines`, offered to the decoder in cycle `offered`, goes through the tree.

    Returns the cycle in which the decoder takes it.
    """
    tree = state.tree
    stage1 = max(offered, tree[STAGE2])             # leaves for stage 2 when that loads
    stage2 = max(stage1 + 1, tree[ROOT])
    left = tree[HELD]
    for row in range(state.row_load.shape[0]):
        left = max(left, state.row_load[row])
    root = max(stage2 + 1, left)
    tree[STAGE1], tree[STAGE2], tree[ROOT] = stage1, stage2, root
    end = lines.end_group[line]
    for row in range(state.row_load.shape[0]):
        state.row_load[row] = max(root + 1, state.row_takes[row])
        takes = state.row_load[row] + 1
        for pe in range(row * size.pe_cols, (row + 1) * size.pe_cols):
            final = _final(lines, inputs, line, pe)
            if final == NEVER and not end:
                continue
            load = state.row_load[row] + 1
            if state.kept[pe] >= size.fifo_lines:
                load = max(load, state.release[pe, state.kept[pe] % size.fifo_lines] + 1)
            takes = max(takes, load)
            _keep(state, lines, inputs, size, pe, line, final, load, banks)
            if end:
                state.ended[pe] = state.pipe[pe, TAKE]
        state.row_takes[row] = takes
        tree[LAST_TAKE] = max(tree[LAST_TAKE], takes)
    return stage1


@njit
def flush(state):
    """After the line with `end_group`: when is each PE's pipeline empty? Returns the latest cycle.

    Sets `flushed` and completes CONFLICT; PE causes of the group are then: MULTIPLY, CONFLICT, and
    starved for the rest of the cycles after `run` up to `flushed`.
    """
    latest = np.int64(0)
    for pe in range(state.pipe.shape[0]):
        pipe, ended = state.pipe[pe], state.ended[pe]
        settle(pipe, state.queues[pe], state.levels[pe], state.tree[RUN])
        done = max(ended + 1, pipe[PUSH] + 1, pipe[CYCLE])
        waits = max(0, pipe[PUSH] - max(pipe[PRODUCT], ended))
        waits += max(0, pipe[PUSH_BEFORE] - max(pipe[PRODUCT_BEFORE], ended))
        state.flushed[pe] = done
        pipe[CONFLICT] += done - ended - waits
        latest = max(latest, done)
    return latest


@njit
def end_section(state):
    """After the line with `end_section`: the cycle in which the tree reports the section loaded."""
    tree = state.tree
    loaded = max(tree[LAST_TAKE], state.row_load.max()) + 1
    for pe in range(state.pipe.shape[0]):
        loaded = max(loaded, state.release[pe].max() + 1)
    tree[HELD] = loaded + 1
    return loaded
