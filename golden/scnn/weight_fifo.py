"""Cycle-exact model of the weight FIFO, for lockstep comparison (see `golden.streams`).

Lines are integers packed as in ``hw/scnn/layouts.py``: target 16 bits, end_group 1, then the slots,
each kind 2, first 1, last 1, channel, elements.
"""
from collections import deque

from hw.scnn.config import SCNNConfig

WEIGHT, BIAS, ROW = 1, 2, 3
TARGET_ALL = 0xFFFF


def slot_width(config: SCNNConfig) -> int:
    """Bits of a decoded slot."""
    element = config.data_bits + max(config.acc_addr_bits, config.index_bits)
    return 4 + config.channel_bits + config.slot_elements * element


def announcement(config: SCNNConfig, line: int) -> int:
    """What is said of a line before it is offered: valid, target, end_group, kinds and channels."""
    word, at, mask = 1 | (line & 0x1FFFF) << 1, 18, (1 << config.channel_bits) - 1
    for n in range(config.weight_bus):
        slot = line >> 17 + n * slot_width(config)
        word |= (slot & 3 | (slot >> 4 & mask) << 2) << at
        at += 2 + config.channel_bits
    return word


class WeightFIFO:
    """The FIFO as a list of slots to come; blocks are put in front again until their last pass."""

    inputs, outputs = ("i",), ("scan", "slot")

    def __init__(self, config: SCNNConfig, pe_index: int, bitmap: int):
        self.config, self.pe_index, self.bitmap = config, pe_index, bitmap
        self.passes = 0             # ends of a pass, for whoever drives last_pass
        self.full = 0               # cycles in which a line had to wait
        self.reset()

    def reset(self):
        self.keep = False           # the announced line
        self.level = 0
        self.scans = deque()        # channels; None: a line without blocks to scan
        self.slots = deque()        # (slot, end_group, is it the line's last)
        self.scanned = self.finished = 0            # blocks
        self.block = []             # those taken of the block that goes round

    def _slots(self, line):
        """The wanted slots of a line."""
        width, mask = slot_width(self.config), (1 << self.config.channel_bits) - 1
        if line & 0xFFFF not in (self.pe_index, TARGET_ALL):
            return []
        slots = [line >> 17 + n * width & (1 << width) - 1 for n in range(self.config.weight_bus)]
        return [s for s in slots if s & 3 in (BIAS, ROW)
                or (s & 3 == WEIGHT and self.bitmap >> (s >> 4 & mask) & 1)]

    def look(self, offered, ready):
        space = self.level < self.config.fifo_lines
        scan = self.scans[0] if self.scans else None
        slot = self.slots[0][0] << 1 | self.slots[0][1] if self.slots else None
        self.full += offered["i"] is not None and self.keep and not space
        return ({"i": self.takes()}, {"scan": scan, "slot": slot}, {"empty": self.level == 0})

    def takes(self):
        """Whether the line that was announced is taken in this cycle."""
        return not self.keep or self.level < self.config.fifo_lines

    def may_read(self, name):
        """A PE multiplies the slots of blocks that it has scanned before only."""
        waits = self.slots and self.slots[0][0] & 3 == WEIGHT and self.scanned <= self.finished
        return name != "slot" or not waits

    def step(self, offered, ready):
        push = offered["i"] is not None and self.level < self.config.fifo_lines
        if self.scans and (self.scans[0] is None or ready["scan"]):
            self.scanned += self.scans.popleft() is not None
        if self.slots and ready["slot"]:
            self._take(offered["last_pass"])
        if push:
            self._store(offered["i"])
        if offered["announce"] & 1:
            self._announced(offered["announce"])

    def _announced(self, word):
        """Looks the announced line's slots up."""
        bits = 2 + self.config.channel_bits
        slots = [word >> 18 + n * bits for n in range(self.config.weight_bus)]
        mask = (1 << self.config.channel_bits) - 1
        here = word >> 1 & 0xFFFF in (self.pe_index, TARGET_ALL)
        wanted = any(s & 3 in (BIAS, ROW)
                     or (s & 3 == WEIGHT and self.bitmap >> (s >> 2 & mask) & 1) for s in slots)
        self.keep = bool(word >> 17 & 1) or (here and wanted)

    def _take(self, last_pass):
        item = self.slots.popleft()
        weight, last = item[0] & 3 == WEIGHT, item[0] >> 3 & 1
        if weight and not last_pass:
            self.block.append(item)
            if last:
                self.slots.extendleft(reversed(self.block))
                self.block = []
        else:
            self.level -= item[2]
        self.passes += weight and last
        self.finished += weight and last and last_pass

    def _store(self, line):
        slots, end_group = self._slots(line), line >> 16 & 1
        if not slots and not end_group:
            return
        self.level += 1
        firsts = [s >> 4 & (1 << self.config.channel_bits) - 1 for s in slots
                  if s & 3 == WEIGHT and s >> 2 & 1]
        self.scans.extend(firsts or [None])
        slots = slots or [0]
        for n, slot in enumerate(slots):
            final = n == len(slots) - 1
            self.slots.append((slot, end_group if final else 0, final))
