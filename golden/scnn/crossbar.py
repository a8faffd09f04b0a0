"""The scatter crossbar, cycle by cycle: which cycle takes a vector of products, which are granted.

Independent of the RTL; the rules are those of ``hw/scnn/README.md``, "Cycles inside a PE", 5.

State of one crossbar is ``queues`` (uint64 ``[lanes, 2]``: lane and bank parity; the waiting
products' banks div 2, one per byte, oldest in the lowest) and ``levels`` (int64 ``[lanes, 2]``).
With more than 128 banks, rows of ``queues`` after the lanes' hold the banks claimed in a cycle.
"""

from __future__ import annotations

import numpy as np

from golden.jit import njit
from hw.scnn.config import SCNNConfig

MAX_DEPTH = 8       # bytes of a queue's word
WORD_BANKS = 128    # two parities of 64 bits
MAX_BANKS = 512     # two parities of a byte


def state(config: SCNNConfig, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Queues and levels of `count` empty crossbars, ``[count, lanes, 2]`` each.

    Raises ValueError if the configuration is beyond what the words hold.
    """
    if config.queue_depth > MAX_DEPTH:
        raise ValueError(f"queue_depth must be at most {MAX_DEPTH} for the cycle model, "
                         f"not {config.queue_depth}")
    if config.acc_banks > MAX_BANKS:
        raise ValueError(f"acc_banks must be at most {MAX_BANKS} for the cycle model, "
                         f"not {config.acc_banks}")
    words = -(-config.acc_banks // WORD_BANKS) if config.acc_banks > WORD_BANKS else 0
    return (np.zeros((count, config.lanes + words, 2), np.uint64),
            np.zeros((count, config.lanes, 2), np.int64))


@njit(inline="always")
def bank_of(address, bank_bits):
    """The bank of an address: low bits, XOR-folded with the next ones."""
    return (address ^ (address >> bank_bits)) & ((1 << bank_bits) - 1)


@njit(inline="always")
def _grant(queues, levels, lane, parity, claimed):
    """The lane's head goes if its bank is free; returns (claimed banks, 1 if it went)."""
    word, level = queues[lane, parity], levels[lane, parity]
    wants = np.uint64(level > 0) << (word & np.uint64(63))
    wins = np.uint64((wants & ~claimed) != 0)
    queues[lane, parity] = word >> (wins << np.uint64(3))
    levels[lane, parity] = level - np.int64(wins)
    return claimed | wants, np.int64(wins)


@njit
def _grant_wide(queues, levels, odd):
    """`grant` for more banks than a word has bits."""
    lanes, left = levels.shape[0], np.int64(0)
    queues[lanes:] = 0
    for n in range(lanes):
        lane = lanes - 1 - n if odd else n
        for parity in range(2):
            word = queues[lane, parity]
            bank = word & np.uint64(255)
            at, bit = lanes + np.int64(bank >> np.uint64(6)), np.uint64(1) << (bank & np.uint64(63))
            if levels[lane, parity] > 0 and not queues[at, parity] & bit:
                queues[at, parity] |= bit
                queues[lane, parity] = word >> np.uint64(8)
                levels[lane, parity] -= 1
                left += 1
    return left


@njit
def grant(queues, levels, odd):
    """One cycle of grants: lowest lane first, highest if `odd`. Returns the products that left."""
    lanes = levels.shape[0]
    if queues.shape[0] > lanes:
        return _grant_wide(queues, levels, odd)
    even_claimed, odd_claimed = np.uint64(0), np.uint64(0)
    left = np.int64(0)
    if odd:
        for n in range(lanes):
            lane = lanes - 1 - n
            even_claimed, a = _grant(queues, levels, lane, 0, even_claimed)
            odd_claimed, b = _grant(queues, levels, lane, 1, odd_claimed)
            left += a + b
    else:
        for lane in range(lanes):
            even_claimed, a = _grant(queues, levels, lane, 0, even_claimed)
            odd_claimed, b = _grant(queues, levels, lane, 1, odd_claimed)
            left += a + b
    return left


@njit(inline="always")
def fits(levels, banks, depth):
    """Has every queue that a vector needs room? `banks` int64 ``[lanes]``, -1: no product."""
    full = False
    for lane in range(banks.shape[0]):
        bank = banks[lane]
        full |= (bank >= 0) & (levels[lane, bank & 1] >= depth)
    return not full


@njit(inline="always")
def push(queues, levels, banks):
    """A vector enters. Returns its products."""
    count = np.int64(0)
    for lane in range(banks.shape[0]):
        bank = banks[lane]
        valid = np.int64(bank >= 0)
        parity = bank & 1
        level = levels[lane, parity]
        word = np.uint64((bank >> 1) * valid)
        queues[lane, parity] |= word << np.uint64((level & 7) << 3)
        levels[lane, parity] = level + valid
        count += valid
    return count


@njit
def step(queues, levels, banks, offered, depth, odd):
    """One cycle with a vector at the input, if `offered`. Returns (taken, products that left).

    Room is judged before the grants of the cycle; what enters can be granted from the next one.
    """
    taken = offered and fits(levels, banks, depth)
    left = grant(queues, levels, odd)
    if taken:
        push(queues, levels, banks)
    return taken, left


@njit
def _run(addresses, queues, levels, bank_bits, depth):
    """Cycles from the first vector's offer to the last one's entry, one offered at all times."""
    vectors, lanes = addresses.shape
    banks = np.empty(lanes, np.int64)
    cycle = 0
    for v in range(vectors):
        for lane in range(lanes):
            address = addresses[v, lane]
            banks[lane] = bank_of(address, bank_bits) if address >= 0 else -1
        taken = False
        while not taken:
            taken, _ = step(queues, levels, banks, True, depth, cycle & 1)
            cycle += 1
    return cycle


def cycles_per_vector(addresses: np.ndarray, config: SCNNConfig) -> float:
    """Mean cycles that the crossbar needs for a vector, one being offered in every cycle.

    `addresses` is integer ``[vectors, lanes]`` with lane ``f * mults_i + i``; -1 where a product
    has a zero operand.
    """
    if addresses.ndim != 2 or addresses.shape[1] != config.lanes or not len(addresses):
        raise ValueError(f"addresses must be of shape [vectors, {config.lanes}], "
                         f"not {list(addresses.shape)}")
    queues, levels = state(config, 1)
    cycles = _run(addresses.astype(np.int64), queues[0], levels[0], config.bank_bits,
                  config.queue_depth)
    return cycles / len(addresses)
