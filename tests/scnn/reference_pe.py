"""The broadcast tree and the PEs as registers, stepped cycle by cycle in plain Python.

Written from ``hw/scnn/README.md``, "Cycles inside a PE", independently of the recurrences in
``golden/scnn/compute.py``, which must agree with it. Slow: for tests only.
"""

from dataclasses import dataclass, field

ALL = 0xFFFF
EMPTY, WEIGHT, BIAS, ROW = range(4)


@dataclass
class Slot:
    """`offsets`: of the F weights, None where the weight is zero."""
    kind: int
    first: bool = False
    last: bool = False
    channel: int = 0
    offsets: tuple = ()


@dataclass
class Line:
    target: int
    slots: list
    end_group: bool = False
    end_section: bool = False


@dataclass
class ReferencePE:
    """`inputs`: channel to rows of I addresses (None for zero), channels without rows absent."""
    config: object
    index: int
    inputs: dict
    level: int = 0
    stored: list = field(default_factory=list)      # [line, wanted slot numbers], oldest first
    scan_at: int = 0                                # line of `stored` being scanned
    scan_passed: int = 0                            # slots of it that were scanned
    read_at: int = 0                                # line of `stored` being read
    read_passed: int = 0
    block_at: int = 0                               # slot with which the block began
    looked_up: object = None
    blocks: list = field(default_factory=list)      # channels waiting: [rows, next]
    fetched: object = None
    rows: list = field(default_factory=list)        # (addresses, last)
    operands: object = None
    products: object = None
    odd: bool = False
    running: bool = False
    flushing: bool = False
    done: bool = True
    causes: dict = field(default_factory=dict)
    vectors: int = 0
    macs: int = 0
    trace: list = field(default_factory=list)

    def __post_init__(self):
        lanes = self.config.lanes
        self.queues = [[[], []] for _ in range(lanes)]

    def wanted(self, line):
        here = line.target in (ALL, self.index)
        return [n for n, s in enumerate(line.slots)
                if here and (s.kind in (BIAS, ROW)
                             or (s.kind == WEIGHT and s.channel in self.inputs))]

    def ready(self, line):
        keep = self.wanted(line) or line.end_group
        return not keep or self.level < self.config.fifo_lines

    def bank(self, address):
        config = self.config
        return (address ^ (address >> config.bank_bits)) % config.acc_banks

    def crossbar(self):
        """(refuses the product register, grants as (lane, parity))."""
        depth, banks = self.config.queue_depth, self.config.acc_banks
        refuses = self.products is not None and any(
            len(self.queues[lane][bank % 2]) >= depth for lane, bank in self.products)
        grants, free = [], set(range(banks))
        lanes = range(self.config.lanes)
        for lane in reversed(lanes) if self.odd else lanes:
            for parity in range(2):
                queue = self.queues[lane][parity]
                if queue and queue[0] in free:
                    free.remove(queue[0])
                    grants.append((lane, parity))
        return refuses, grants

    def slot(self):
        """(line entry, slot number or None for an end_group line without wanted slots)."""
        if self.read_at >= len(self.stored):
            return None
        entry = self.stored[self.read_at]
        rest = [n for n in entry[1] if n >= self.read_passed]
        return entry, (rest[0] if rest else None), len(rest) <= 1

    def step(self, line, run, load):
        """One cycle; `line` is what the row register offers or None. Returns: was it taken?"""
        took = line is not None and self.ready(line)
        refuses, grants = self.crossbar()
        pushes = self.products is not None and not refuses
        advance = self.products is None or pushes
        operands_ready = self.operands is None or advance
        empty = (self.operands is None and self.products is None
                 and not any(q for lane in self.queues for q in lane))
        self.count(pushes)

        # issue: what happens to the slot at the read pointer
        shown, vector, taken, row_pops = self.slot(), None, False, False
        if shown:
            entry, number, final = shown
            slot = entry[0].slots[number] if number is not None else Slot(EMPTY)
            row = self.rows[0] if self.rows else None
            if slot.kind == WEIGHT:
                taken = self.running and row is not None and operands_ready
                if taken:
                    vector = (slot, row)
                    row_pops = slot.last
            else:
                taken = load if slot.kind == ROW else self.running
        # fetch
        scan_ready = len(self.blocks) + (self.looked_up is not None) < 3
        issues = bool(self.blocks) and len(self.rows) + (self.fetched is not None) < 4
        scanned, scan_moves = self.scan_step(scan_ready)

        # registers
        if pushes:
            self.vectors += 1
            self.macs += len(self.products)
        for lane, parity in grants:
            self.queues[lane][parity].pop(0)
        if pushes:
            for lane, bank in self.products:
                self.queues[lane][bank % 2].append(bank)
        if advance:
            self.products = self.multiply(self.operands)
            self.operands = None
        if vector:
            self.operands = vector
        if row_pops:
            self.rows.pop(0)
        if self.fetched is not None:
            self.rows.append(self.fetched)
        self.fetched = None
        if issues:
            block = self.blocks[0]
            self.fetched = (block[0][block[1]], block[1] == len(block[0]) - 1)
            block[1] += 1
            if block[1] == len(block[0]):
                self.blocks.pop(0)
        if self.looked_up is not None:
            self.blocks.append([self.inputs[self.looked_up], 0])
        self.looked_up = scanned
        if scan_moves:
            self.scan_at += 1
            self.scan_passed = 0
        if self.flushing and empty:
            self.flushing, self.done = False, True
        if taken:
            self.after_take(entry, number, slot, final, vector)
        if took and (self.wanted(line) or line.end_group):
            self.stored.append([line, self.wanted(line)])
            self.level += 1
        if run:
            self.running, self.done = True, False
        self.odd = True if run else not self.odd
        return took

    def scan_step(self, ready):
        if self.scan_at >= len(self.stored):
            return None, False
        line, wanted = self.stored[self.scan_at]
        firsts = [n for n in wanted if line.slots[n].kind == WEIGHT and line.slots[n].first
                  and n >= self.scan_passed]
        if not firsts:
            return None, True
        if not ready:
            return None, False
        self.scan_passed = firsts[0] + 1
        return line.slots[firsts[0]].channel, len(firsts) == 1

    def multiply(self, operands):
        if operands is None:
            return None
        slot, (addresses, _) = operands
        count = self.config.mults_i
        return [(f * count + i, self.bank(w + a)) for f, w in enumerate(slot.offsets)
                for i, a in enumerate(addresses) if w is not None and a is not None]

    def after_take(self, entry, number, slot, final, vector):
        last_pass = vector is not None and vector[1][1]
        if slot.kind == WEIGHT and slot.first:
            self.block_at = self.read_passed
        if slot.kind == WEIGHT and slot.last and not last_pass:
            self.read_at = 0
            self.read_passed = self.block_at
            return
        if entry[0].end_group and final and (slot.kind != WEIGHT or last_pass):
            self.running, self.flushing = False, True
        if not final:
            self.read_passed = number + 1
            return
        self.read_passed = 0
        if slot.kind != WEIGHT or last_pass:
            self.stored.pop(0)
            self.level -= 1
            self.scan_at -= 1
        else:
            self.read_at += 1

    def count(self, pushes):
        if pushes:
            cause = "multiply"
        elif self.products is not None or self.flushing:
            cause = "conflict"
        elif self.running:
            cause = "starved"
        else:
            cause = "done"
        self.causes[cause] = self.causes.get(cause, 0) + 1


class ReferenceArray:
    """Decoder, root, row registers, PEs and the barrier. `available[e]`: line e is offered."""

    def __init__(self, config, lines, available, inputs, drain):
        self.config, self.lines, self.available, self.drain = config, lines, available, drain
        self.pes = [ReferencePE(config, n, inputs[n]) for n in range(config.pes)]
        self.next, self.decoded = 0, []
        self.stage1 = self.stage2 = self.root = None
        self.root_taken = [False] * config.pe_rows
        self.rows = [None] * config.pe_rows
        self.taken = [[False] * config.pe_cols for _ in range(config.pe_rows)]

    def run(self, first_run):
        """Runs all groups; returns [(run, [done seen per PE], counters per PE)]."""
        groups, cycle, run_at = [], 0, first_run
        total = sum(line.end_group for line in self.lines)
        drain_idle = 0
        while len(groups) < total:
            seen = all(pe.done for pe in self.pes) and cycle > run_at
            if seen:
                groups.append((run_at, self.snapshot()))
                if cycle >= drain_idle:
                    drain_idle = cycle + self.drain[len(groups) - 1]
                    run_at = cycle + 1
                else:
                    groups.pop()
            self.step(cycle, cycle == run_at)
            cycle += 1
            assert cycle < 200_000
        return groups

    def snapshot(self):
        return [(dict(pe.causes), pe.vectors, pe.macs) for pe in self.pes]

    def step(self, cycle, run):
        config = self.config
        takes = []
        for r in range(config.pe_rows):
            line = self.rows[r]
            for c in range(config.pe_cols):
                pe = self.pes[r * config.pe_cols + c]
                offered = line if line is not None and not self.taken[r][c] else None
                takes.append(pe.step(offered, run, False))
        loads = []
        for r in range(config.pe_rows):
            took = [self.taken[r][c] or takes[r * config.pe_cols + c]
                    for c in range(config.pe_cols)]
            leaves = self.rows[r] is not None and all(took)
            load = (self.root is not None and not self.root_taken[r]
                    and (self.rows[r] is None or leaves))
            loads.append(load)
            if leaves:
                self.rows[r], self.taken[r] = None, [False] * config.pe_cols
            else:
                self.taken[r] = took if self.rows[r] is not None else self.taken[r]
            if load:
                self.rows[r] = self.root
        root_leaves = self.root is not None and all(
            a or b for a, b in zip(loads, self.root_taken, strict=True))
        self.root_taken = ([False] * config.pe_rows if root_leaves
                           else [a or b for a, b in zip(loads, self.root_taken, strict=True)])
        root_ready = self.root is None or root_leaves
        stage2_ready = self.stage2 is None or root_ready
        stage1_ready = self.stage1 is None or stage2_ready
        if root_ready:
            self.root, self.stage2 = self.stage2, None
        if stage2_ready:
            self.stage2, self.stage1 = self.stage1, None
        if (stage1_ready and self.next < len(self.lines)
                and cycle >= self.available[self.next]):
            self.stage1 = self.lines[self.next]
            self.decoded.append(cycle)
            self.next += 1
