"""Bench of WeightFIFO: every output in every cycle, beside golden."""
import cocotb
from cocotb.triggers import RisingEdge

from golden.scnn.weight_fifo import (
    BIAS,
    ROW,
    TARGET_ALL,
    WEIGHT,
    WeightFIFO,
    announcement,
    slot_width,
)
from hw.scnn.config import SCNNConfig
from sim.common.bench import bench_config, reset, rng, start
from sim.common.lockstep import lockstep

PE_INDEX = 3


class Lines:
    """Lines of a legal stream; ``lines(rng)`` is the next one.

    Each is announced in all cycles before it is offered, or in one of them at random.
    """

    def __init__(self, config, bitmap):
        self.config, self.bitmap = config, bitmap
        self.waiting = []
        self.offered = None

    def __call__(self, rng):
        self.offered = self._next(rng)
        self.waiting.pop(0)
        return self.offered

    def _next(self, rng):
        while not self.waiting:
            self._section(rng)
        return self.waiting[0]

    def announce(self, rng, model):
        """The announcement beside what is offered in this cycle."""
        if self.offered is not None and not model.takes():
            return announcement(self.config, self.offered) & -rng.randrange(2)
        self.offered = None
        return announcement(self.config, self._next(rng))

    def _section(self, rng):
        """Some blocks for one target, end_group perhaps on the last line."""
        config, slots = self.config, []
        for _ in range(rng.randrange(6)):
            slots += self._block(rng, len(slots))
        while len(slots) % config.weight_bus:
            slots.append(0)
        target = rng.choice([PE_INDEX, TARGET_ALL, TARGET_ALL, 1])
        ends = rng.random() < 0.4
        count = len(slots) // config.weight_bus
        if ends and rng.random() < 0.3:
            count += 1
            slots += [0] * config.weight_bus
        for n in range(count):
            line = target | (ends and n == count - 1) << 16
            for k in range(config.weight_bus):
                line |= slots[n * config.weight_bus + k] << 17 + k * slot_width(config)
            self.waiting.append(line)

    def _block(self, rng, at):
        """Slots of a block, some EMPTY ones before it."""
        config, bus = self.config, self.config.weight_bus
        kind = rng.choice([WEIGHT] * 6 + [BIAS, ROW, 0])
        length = 1 if kind != WEIGHT else rng.choice([1, 1, 2, bus + 1,
                                                      rng.randint(1, config.fifo_entries)])
        gap = 0
        if (at % bus + length + bus - 1) // bus > config.fifo_lines:
            gap = -at % bus
        listed = [c for c in range(config.max_channels) if self.bitmap >> c & 1]
        channel = rng.choice(listed) if rng.random() < 0.7 else rng.randrange(config.max_channels)
        element_bits = slot_width(config) - 4 - config.channel_bits
        return [0] * gap + [
            kind | (n == 0) << 2 | (n == length - 1) << 3 | channel << 4
            | rng.getrandbits(element_bits) << 4 + config.channel_bits for n in range(length)]


@cocotb.test()
@cocotb.parametrize(stalls=[(0.0,), (0.0, 0.3, 0.8)])
async def lockstep_with_golden(dut, stalls):
    config, random = bench_config(SCNNConfig), rng()
    await start(dut)
    for _ in range(2):                      # the second time after a reset amid a block
        bitmap = random.getrandbits(config.max_channels) | 1
        model, passes = WeightFIFO(config, PE_INDEX, bitmap), {}

        def last_pass(r, model=model, passes=passes):
            return passes.setdefault(model.passes, r.random() < 0.6)

        dut.pe_index.value, dut.bitmap.value = PE_INDEX, bitmap
        lines = Lines(config, bitmap)

        def announce(r, model=model, lines=lines):
            return lines.announce(r, model)

        await announce_first(dut, model, lines, random)
        await lockstep(dut, model, 1500, random, {"i": lines},
                       controls={"last_pass": last_pass, "announce": announce},
                       allow=model.may_read, stalls=stalls, p_reset=0)
        assert model.passes > 50 and model.full > 50, (model.passes, model.full)
        await reset(dut)


async def announce_first(dut, model, lines, random):
    """The cycle before the first line."""
    word = lines.announce(random, model)
    dut.announce.value, dut.i__valid.value = word, 0
    await RisingEdge(dut.clk)
    model.step({"i": None, "announce": word}, {"scan": False, "slot": False})
