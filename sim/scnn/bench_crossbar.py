"""Bench of Crossbar: every product, bank and cycle, beside a model of its queues."""
from collections import deque

import cocotb
from cocotb.triggers import RisingEdge

from hw.scnn.config import SCNNConfig
from hw.scnn.multiplier_array import products_layout
from sim.common.bench import bench_config, rng, start
from sim.common.lockstep import lockstep


class Crossbar:
    """The queues with their products (README, "Cycles inside a PE", 5); see `golden.streams`."""

    inputs, outputs = ("i",), ()

    def __init__(self, config):
        self.config = config
        self.at_input = 0               # what stands at the input, valid or not
        self.taken = self.cycle = self.full = 0
        self.reset()

    def reset(self):
        lanes = range(self.config.lanes)
        self.queues = [[deque() for _ in lanes] for _ in range(2)]      # by parity, by lane
        self.odd = 0

    def _products(self, word):
        """(lane, bank, entry and value as at the bank) of the valid products of a vector."""
        config = self.config
        width = 1 + config.acc_addr_bits + config.acc_bits
        for lane in range(config.lanes):
            product = word >> lane * width & (1 << width) - 1
            address = product >> 1 & (1 << config.acc_addr_bits) - 1
            entry = address >> config.bank_bits
            if product & 1:
                yield (lane, (address ^ entry) % config.acc_banks,
                       1 | entry << 1 | product >> 1 + config.acc_addr_bits
                       << 1 + config.entry_bits)

    def _fits(self, word):
        return all(len(self.queues[bank & 1][lane]) < self.config.queue_depth
                   for lane, bank, _ in self._products(word))

    def _grants(self):
        """Bank -> (its queue, the word that it gets)."""
        grants = {}
        for queues in self.queues:
            for queue in reversed(queues) if self.odd else queues:
                if queue:
                    grants.setdefault(queue[0][0], (queue, queue[0][1]))
        return grants

    def look(self, offered, ready):
        if offered["i"] is not None:
            self.at_input = offered["i"]
        signals = {f"o__{n}": (0, 1) for n in range(self.config.acc_banks)}
        signals |= {f"o__{bank}": word for bank, (_, word) in self._grants().items()}
        signals["empty"] = not any(queue for queues in self.queues for queue in queues)
        return {"i": self._fits(self.at_input)}, {}, signals

    def step(self, offered, ready):
        word = offered["i"]
        fits = word is not None and self._fits(word)
        for queue, _ in self._grants().values():
            queue.popleft()
        if fits:
            for lane, bank, product in self._products(word):
                self.queues[bank & 1][lane].append((bank, product))
        self.taken += fits
        self.full += word is not None and not fits
        self.cycle += 1
        self.odd = 1 if offered["phase_reset"] else 1 - self.odd


def vector(config, addresses, r):
    """A word with a product at each address that is not None."""
    layout = products_layout(config)
    bound = 1 << config.acc_bits - 1
    return layout.const([{"valid": int(a is not None), "address": a or 0,
                          "value": r.randrange(-bound, bound)} for a in addresses]
                        ).as_value().value


def scattered(config, r):
    """Addresses of a vector: few or many products, all over the banks or in a few of them."""
    span = r.choice([2, config.acc_banks, config.acc_depth])
    density = r.choice([0.0, 0.3, 1.0, 1.0])
    return [r.randrange(min(span, config.acc_depth)) if r.random() < density else None
            for _ in range(config.lanes)]


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.9)])
async def lockstep_with_model(dut, stalls):
    config, r = bench_config(SCNNConfig), rng()
    model = Crossbar(config)
    await start(dut)
    dut.phase_reset.value = 1           # the model begins with an odd cycle
    await RisingEdge(dut.clk)
    model.odd = 1
    await lockstep(dut, model, 1500, r, {"i": lambda r: vector(config, scattered(config, r), r)},
                   controls={"phase_reset": lambda r: r.random() < 0.02}, stalls=stalls)
    assert model.full
