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

import numba
import numpy as np

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
    take: np.ndarray         # last slot taken
    scan_line: np.ndarray    # scan arrives at the next line
    scan: np.ndarray         # last channel scanned
    blocks: np.ndarray       # blocks run so far
    block_read: np.ndarray   # [PEs, BLOCKS]: last row read of block n at n mod BLOCKS
    rows: np.ndarray         # activation rows read so far
    row_read: np.ndarray     # last row read
    row_pop: np.ndarray      # [PEs, ROWS]: row n left the queue, at n mod ROWS
    product: np.ndarray      # last vector loads the product register
    push: np.ndarray         # last vector enters the queues
    before: np.ndarray       # [PEs, 2]: product and push of the vector before it
    crossbar: np.ndarray     # next cycle to step the crossbar in
    held: np.ndarray         # products in the queues
    queues: np.ndarray       # [PEs, lanes, 2]
    levels: np.ndarray       # [PEs, lanes, 2]
    open_slots: np.ndarray   # slots of the block that is not complete
    slot_load: np.ndarray    # [PEs, fifo_entries]: load of its line
    slot_line: np.ndarray    # [PEs, fifo_entries]: its line's number if it ends it, else NEVER
    slot_at: np.ndarray      # [PEs, fifo_entries]: line * weight_bus + slot
    ended: np.ndarray        # the slot that ended the group
    flushed: np.ndarray      # cycle d: registers and queues seen empty
    multiply: np.ndarray     # vectors of the group
    conflict: np.ndarray     # cycles in which a vector waited or queues emptied
    products: np.ndarray     # of the group


# State.tree
STAGE1, STAGE2, ROOT, HELD, RUN, LAST_TAKE = range(6)


def start(config: SCNNConfig) -> State:
    """The idle array, at cycle 0."""
    pes, rows = config.pes, config.pe_rows
    queues, levels = crossbar.state(config, pes)

    def past(*shape):
        return np.full(shape, -10, np.int64)

    def zeros(*shape):
        return np.zeros(shape, np.int64)

    return State(
        tree=past(6), row_load=past(rows), row_takes=past(rows), kept=zeros(pes),
        release=past(pes, config.fifo_lines), take=past(pes), scan_line=past(pes),
        scan=past(pes), blocks=zeros(pes), block_read=past(pes, BLOCKS), rows=zeros(pes),
        row_read=past(pes), row_pop=past(pes, ROWS), product=past(pes), push=past(pes),
        before=past(pes, 2), crossbar=past(pes), held=zeros(pes), queues=queues, levels=levels,
        open_slots=zeros(pes), slot_load=zeros(pes, config.fifo_entries),
        slot_line=zeros(pes, config.fifo_entries), slot_at=zeros(pes, config.fifo_entries),
        ended=zeros(pes), flushed=zeros(pes), multiply=zeros(pes), conflict=zeros(pes),
        products=zeros(pes))


class Sizes(NamedTuple):
    """Configuration that the kernels need."""

    pe_cols: int
    fifo_lines: int
    depth: int
    bank_bits: int


def sizes(config: SCNNConfig) -> Sizes:
    return Sizes(config.pe_cols, config.fifo_lines, config.queue_depth, config.bank_bits)


@numba.njit
def begin_group(state, run):
    """`command.run` is seen in cycle `run`: slots may be taken from the next one."""
    state.tree[RUN] = run
    state.ended[:] = NEVER
    state.multiply[:] = 0
    state.conflict[:] = 0
    state.products[:] = 0


@numba.njit
def begin_load(state, cycle):
    """`command.load` is high from `cycle` on: ROW slots may be taken."""
    state.tree[RUN] = cycle - 1


@numba.njit
def settle(state, pe, until):
    """Steps the crossbar of `pe` up to, not including, cycle `until`; or until it is empty."""
    cycle, held, run = state.crossbar[pe], state.held[pe], state.tree[RUN]
    queues, levels = state.queues[pe], state.levels[pe]
    while held > 0 and cycle < until:
        held -= crossbar.grant(queues, levels, (cycle - run) & 1)
        cycle += 1
    state.held[pe] = held
    state.crossbar[pe] = cycle


@numba.njit(boundscheck=False)
def _enter(state, pe, banks, depth):
    """A vector in the product register since `state.product`: when does it enter the queues?"""
    cycle = state.product[pe] + 1
    settle(state, pe, cycle)
    queues, levels, run = state.queues[pe], state.levels[pe], state.tree[RUN]
    held = state.held[pe]
    while not crossbar.fits(levels, banks, depth):
        held -= crossbar.grant(queues, levels, (cycle - run) & 1)
        cycle += 1
    if held > 0:
        held -= crossbar.grant(queues, levels, (cycle - run) & 1)
    count = crossbar.push(queues, levels, banks)
    state.held[pe] = held + count
    state.crossbar[pe] = cycle + 1
    state.conflict[pe] += cycle - state.product[pe] - 1
    state.multiply[pe] += 1
    state.products[pe] += count
    return cycle


@numba.njit
def _vector(state, pe, take, banks, depth):
    """A vector taken into the operand register in cycle `take` goes on to the queues."""
    state.before[pe, 0], state.before[pe, 1] = state.product[pe], state.push[pe]
    state.product[pe] = max(take + 1, state.push[pe])
    state.push[pe] = _enter(state, pe, banks, depth)


@numba.njit(boundscheck=False)
def _banks(banks, offsets, addresses, bank_bits):
    """Bank of each product of a vector, -1 where an operand is zero."""
    lane = 0
    for f in range(offsets.shape[0]):
        for i in range(addresses.shape[0]):
            good = (offsets[f] >= 0) & (addresses[i] >= 0)
            bank = bank_of(np.int64(offsets[f]) + addresses[i], bank_bits)
            banks[lane] = bank if good else -1
            lane += 1


@numba.njit(boundscheck=False)
def _run_block(state, lines, inputs, size, pe, channel, banks):
    """All passes of the complete block whose slots are listed in the state."""
    slots, bus = state.open_slots[pe], lines.kind.shape[1]
    scan, count, start_row = state.scan[pe], inputs.count[pe, channel], inputs.start[pe, channel]
    take, running = state.take[pe], state.tree[RUN] + 1
    for row in range(count):
        number = state.rows[pe]
        read = max(state.row_read[pe] + 1, state.row_pop[pe, number % ROWS] + 1, scan + 2)
        state.row_read[pe] = read
        addresses = inputs.address[start_row + row]
        for n in range(slots):
            here = state.slot_at[pe, n]
            take = max(take + 1, running, state.product[pe])
            if n == 0:
                take = max(take, read + 2)
            if row == 0:
                take = max(take, state.slot_load[pe, n] + 1)
            _banks(banks, lines.offset[here // bus, here % bus], addresses, size.bank_bits)
            _vector(state, pe, take, banks, size.depth)
            if row == count - 1 and state.slot_line[pe, n] != NEVER:
                state.release[pe, state.slot_line[pe, n] % size.fifo_lines] = take
        state.row_pop[pe, number % ROWS] = take
        state.rows[pe] = number + 1
    state.take[pe] = take
    state.block_read[pe, state.blocks[pe] % BLOCKS] = state.row_read[pe]
    state.blocks[pe] += 1
    state.open_slots[pe] = 0


@numba.njit
def _wanted(lines, inputs, line, slot, pe):
    kind = lines.kind[line, slot]
    if kind == WEIGHT:
        return inputs.count[pe, lines.channel[line, slot]] > 0
    return kind != EMPTY


@numba.njit
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
            state.take[pe] = max(state.take[pe] + 1, state.tree[RUN] + 1, load + 1)
            if ends != NEVER:
                state.release[pe, number % size.fifo_lines] = state.take[pe]
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
        state.take[pe] = max(state.take[pe] + 1, state.tree[RUN] + 1, load + 1)
        state.release[pe, number % size.fifo_lines] = state.take[pe]


@numba.njit
def _final(lines, inputs, line, pe):
    """The last slot of the line that this PE wants; NEVER if there is none."""
    if lines.target[line] != ALL and lines.target[line] != pe:
        return NEVER
    for slot in range(lines.kind.shape[1] - 1, -1, -1):
        if _wanted(lines, inputs, line, slot, pe):
            return slot
    return NEVER


@numba.njit
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
                state.ended[pe] = state.take[pe]
        state.row_takes[row] = takes
        tree[LAST_TAKE] = max(tree[LAST_TAKE], takes)
    return stage1


@numba.njit
def flush(state):
    """After the line with `end_group`: when is each PE's pipeline empty? Returns the latest cycle.

    Sets `flushed` and completes `conflict`; PE causes of the group are then: `multiply`,
    `conflict`, and starved for the rest of the cycles after `run` up to `flushed`.
    """
    latest = np.int64(0)
    for pe in range(state.take.shape[0]):
        settle(state, pe, np.int64(1) << 62)
        ended = state.ended[pe]
        done = max(ended + 1, state.push[pe] + 1, state.crossbar[pe])
        waits = max(0, state.push[pe] - max(state.product[pe], ended))
        waits += max(0, state.before[pe, 1] - max(state.before[pe, 0], ended))
        state.flushed[pe] = done
        state.conflict[pe] += done - ended - waits
        latest = max(latest, done)
    return latest


@numba.njit
def end_section(state):
    """After the line with `end_section`: the cycle in which the tree reports the section loaded."""
    tree = state.tree
    loaded = max(tree[LAST_TAKE], state.row_load.max()) + 1
    for pe in range(state.take.shape[0]):
        loaded = max(loaded, state.release[pe].max() + 1)
    tree[HELD] = loaded + 1
    return loaded
