"""Drives a Reader and a Writer on the bench memory, in step with `golden.axi`."""
from cocotb.triggers import RisingEdge

import golden.axi as timing
from hw.common.axi.dma import command_layout
from sim.common.bench import bench_config, reset

ADDR_BITS, BEATS_BITS = 20, 12
COMMAND = command_layout(ADDR_BITS, BEATS_BITS)
CHANNELS = ("ar", "r", "aw", "w", "b")
OPEN = {"window": 1 << 2 * ADDR_BITS, "stop": 0}         # base 0, size 1 << ADDR_BITS


def draw_transfers(random, beat, count):
    """Disjoint regions of memory, in random order: (first beat, room, beats used)."""
    regions, at, page = [], 0, 4096 // beat
    for _ in range(count):
        near = -at % page - random.randrange(30)          # a little before the next page
        at += random.choice([0, 1, random.randrange(page), near % page])
        used = random.choice([1, 2, random.randrange(1, 20), random.randrange(1, 90)])
        room = used + random.choice([0, 0, random.randrange(5)])
        regions.append((at, room, used))
        at += room
    assert at * beat < 1 << ADDR_BITS
    random.shuffle(regions)
    return regions


async def settings(dut, random, beat, **given):
    """A random stall-free memory, except for what is given; reset."""
    cycles = random.choice([1, 1, random.randrange(1, 6)])
    values = {"latency": random.choice([1, 2, 64, random.randrange(1, 100)]),
              "outstanding": random.choice([1, 2, 8, 8, 16]),
              "rate_beats": random.randrange(1, cycles + 1), "rate_cycles": cycles,
              "size": 1 << ADDR_BITS, "fault_addr": 0, "fault_read": 0, "fault_write": 0,
              "seed": random.getrandbits(32), **{f"stall_{c}": 0 for c in CHANNELS}, **given}
    for name, value in (OPEN | values).items():
        if name in ("window", "stop") or hasattr(dut, name):
            getattr(dut, name).value = value
    for name in ("r_command__valid", "w_command__valid", "w_data__valid", "r_data__ready"):
        getattr(dut, name).value = 0
    await reset(dut, 3)
    await RisingEdge(dut.clk)          # the memory's ready signals rise a cycle after reset
    return values


def golden(make, config, values):
    parameters = {"max_burst": config["max_burst"], "bursts": config["outstanding"],
                  "buffer": config.get("buffer")}
    return make(config["data_bits"] // 8, latency=values["latency"],
                outstanding=values["outstanding"],
                bandwidth=(values["rate_beats"], values["rate_cycles"]), **parameters)


class Commands:
    """Offers commands, each from a random cycle on."""
    def __init__(self, dut, name, transfers, beat, random, p_pause):
        self.valid, self.ready = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__ready")
        self.payload = getattr(dut, f"{name}__payload")
        self.words = [COMMAND.const({"address": at * beat, "beats": beats}).as_bits()
                      for at, beats in transfers]
        self.random, self.p_pause, self.taken, self.offering = random, p_pause, 0, False

    def drive(self):
        """Before an edge; whether a command is newly offered."""
        new = (not self.offering and self.taken < len(self.words)
               and self.random.random() >= self.p_pause)
        if new:
            self.offering = True
            self.payload.value = self.words[self.taken]
        self.valid.value = int(self.offering)
        return new

    def sample(self):
        """At the edge; whether a command was taken."""
        taken = self.offering and int(self.ready.value) == 1
        if taken:
            self.taken += 1
            self.offering = False
        return taken


async def read_all(dut, transfers, random, p_pause, model=None, p_ready=None):
    """Reads (first beat, beats); returns [(data, last)]. With `model`, compares every cycle."""
    beat = bench_config()["data_bits"] // 8
    commands = Commands(dut, "r_command", transfers, beat, random, p_pause)
    beats, wanted, cycle, taken = [], sum(n for _, n in transfers), 0, False
    p_ready = p_ready or random.choice([1, 1, 0.5, 0.2])
    while len(beats) < wanted:
        if commands.drive() and model is not None:
            timing.command(model, cycle, *transfers[commands.taken])
        ready = random.random() < p_ready
        dut.r_data__ready.value = int(ready)
        await RisingEdge(dut.clk)
        pending = sum(n for _, n in transfers[:commands.taken]) - len(beats)
        busy = pending > 0 or taken        # a command of no beats is there for a cycle
        assert int(dut.r_idle.value) == (not busy), f"cycle {cycle}: idle with {pending}"
        taken, valid = commands.sample(), int(dut.r_data__valid.value)
        if model is not None:
            assert valid == (model.state[timing.LEVEL] > 0), f"cycle {cycle}: data valid {valid}"
            assert timing.step(model, int(valid and ready)) == taken, f"cycle {cycle}: command"
        if valid and ready:
            word = int(dut.r_data__payload.value)
            beats.append((word & (1 << 8 * beat) - 1, word >> 8 * beat))
        cycle += 1
        assert cycle < 60_000, "the reader does not end"
    dut.r_data__ready.value = 0
    return beats


async def write_all(dut, transfers, words, random, p_pause, model=None):
    """Writes words[i] (ints) to region i (first beat, room). With `model`, compares every cycle."""
    bits = bench_config()["data_bits"]
    commands = Commands(dut, "w_command", transfers, bits // 8, random, p_pause)
    queue = [(word, i == len(region) - 1) for region in words for i, word in enumerate(region)]
    done, cycle, offered, p_valid = [], 0, False, random.choice([1, 1, 0.5, 0.2])
    while len(done) < len(transfers):
        if commands.drive() and model is not None:
            timing.region(model, cycle, *transfers[commands.taken])
        offered = bool(queue) and (offered or random.random() < p_valid)
        if offered:
            dut.w_data__payload.value = queue[0][0] | queue[0][1] << bits
        dut.w_data__valid.value = int(offered)
        await RisingEdge(dut.clk)
        pending = commands.taken - len(done)
        assert int(dut.w_idle.value) == (pending == 0), f"cycle {cycle}: idle with {pending}"
        took_command, done_now = commands.sample(), int(dut.w_done.value)
        taken = offered and int(dut.w_data__ready.value) == 1
        if model is not None:
            assert (done_now & 1) == model.state[timing.W_DONE_VALID], f"cycle {cycle}: done"
            commanded = model.state[timing.W_TAKEN]
            last = bool(queue) and queue[0][1]
            assert timing.write_step(model, offered, last) == taken, f"cycle {cycle}: data {taken}"
            assert model.state[timing.W_TAKEN] - commanded == took_command, f"cycle {cycle}"
        if taken:
            queue.pop(0)
            offered = False
        if done_now & 1:
            done.append(done_now >> 1)
        cycle += 1
        assert cycle < 60_000, "the writer does not end"
    dut.w_data__valid.value = 0
    assert done == [len(region) for region in words]
