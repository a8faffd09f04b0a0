"""NFU: issues on random synapses, codebooks and biases; sums in NBout at the promised cycle."""

import cocotb
from cocotb.triggers import RisingEdge

from golden.cambricon_s.pe import aliased, dot
from golden.numeric import wrap
from hw.cambricon_s.config import ENTRIES, WIDTHS, CambriconSConfig
from hw.cambricon_s.layouts import issued_layout, pair_layout
from hw.cambricon_s.pe import LATENCY
from sim.cambricon_s.fills import drive, row_of_beats
from sim.common.bench import bench_config, rng, start


class Held:
    """What the buffers hold."""

    def __init__(self, cfg, rand):
        self.cfg, self.rand, bits = cfg, rand, cfg.data_bits
        self.words = [[[rand.getrandbits(cfg.sb_word_bits) for _ in range(cfg.sb_words)]
                       for _ in range(cfg.tm)] for _ in range(2)]
        self.books = [[rand.randrange(-(1 << bits - 1), 1 << bits - 1) for _ in range(ENTRIES)]
                      for _ in range(2)]
        limit = 1 << cfg.acc_bits - 1
        self.bias = [[rand.randrange(-limit, limit) for _ in range(cfg.tm)] for _ in range(2)]
        self.sums = {}

    async def fill(self, dut):
        cfg, beat = self.cfg, self.cfg.memory_bits
        for side in range(2):
            rows = [sum(self.words[side][pe][n] << self.place(pe) for pe in range(cfg.tm))
                    for n in range(cfg.sb_words)]
            await drive(dut, row_of_beats(cfg, "sb", rows, cfg.sb_beats * beat, side=side))
            word = self.rand.randrange(cfg.sb_words)            # one that all PEs have
            value = self.rand.getrandbits(cfg.sb_word_bits)
            for words in self.words[side]:
                words[word] = value
            await drive(dut, row_of_beats(cfg, "every", [value], max(cfg.sb_word_bits, beat),
                                          side=side, first=word))
            book = [v % (1 << cfg.data_bits) for v in self.books[side]]
            await drive(dut, row_of_beats(cfg, "codebook", book, cfg.data_bits, side=side))
            bias = sum((v & (1 << 64) - 1) << 64 * n for n, v in enumerate(self.bias[side]))
            await drive(dut, row_of_beats(cfg, "bias", [bias], cfg.bias_beats * beat, side=side))

    def place(self, pe):
        """The first bit of a PE's word in a row."""
        return pe * self.cfg.sb_word_bits

    def synapse(self, pe, segment, number):
        width = WIDTHS[segment["width"]]
        words = self.words[segment["sb_side"]][pe]
        stored = aliased(words, width, self.cfg.sb_word_bits)[number]
        if width == 16:
            low = stored & (1 << self.cfg.data_bits) - 1
            return low - (low >> self.cfg.data_bits - 1 << self.cfg.data_bits)
        return self.books[segment["book_side"]][stored]


def random_segment(held):
    """A segment and its issues: (word, [(lane, neuron, offset)])."""
    cfg, rand = held.cfg, held.rand
    width = rand.randrange(len(WIDTHS))
    segment = {"width": width, "sb_side": rand.randint(0, 1), "sb_word": 0,
               "synapses": 7, "book_side": rand.randint(0, 1), "nbout_side": rand.randint(0, 1),
               "vector": rand.randrange(min(3, cfg.nbout_vectors)), "begin": rand.randint(0, 1),
               "publish": rand.randint(0, 1), "release_sb": rand.randint(0, 1),
               "release_book": rand.randint(0, 1)}
    segment["own"] = rand.randint(0, 1)
    segment["begin"] |= (segment["nbout_side"], segment["vector"]) not in held.sums
    issues, limit = [], 1 << cfg.data_bits - 1
    for _ in range(rand.randint(1, 3)):
        word = rand.randint(0, cfg.sb_words - cfg.sb_view) * rand.randint(0, 1)
        lanes = sorted(rand.sample(range(cfg.tn), rand.randint(0, cfg.tn)))
        seen = min(cfg.sb_view * cfg.sb_word_bits >> width, cfg.tm if segment["own"] else 1 << 16)
        issues.append((word, [(n, rand.randrange(-limit, limit), rand.randrange(seen))
                              for n in lanes]))
    return segment, issues


def expect(held, segment, issues):
    """The segment's sums, now in NBout."""
    cfg, key = held.cfg, (segment["nbout_side"], segment["vector"])
    old = held.bias[segment["book_side"]] if segment["begin"] else held.sums[key]
    out = []
    each = cfg.sb_word_bits >> segment["width"]
    for pe in range(cfg.tm):
        pairs = [(neuron, held.synapse(pe, segment, word * each + offset))
                 for word, lanes in issues for _, neuron, offset in lanes
                 if not segment["own"] or word * each + offset == pe]
        neurons, synapses = zip(*pairs, strict=True) if pairs else ((), ())
        out.append(int(wrap(dot(neurons, synapses, cfg.acc_bits) + old[pe], cfg.acc_bits)))
    held.sums[key] = out


@cocotb.test()
async def segments_to_nbout(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    held = Held(cfg, rand)
    await held.fill(dut)
    layout, pair, stream = issued_layout(cfg), pair_layout(), []
    for _ in range(25):
        segment, issues = random_segment(held)
        expect(held, segment, issues)
        for n, (word, lanes) in enumerate(issues):
            while rand.random() < 0.2:
                stream.append((0, None))
            fields = [{"valid": 0}] * cfg.tn
            for lane, neuron, offset in lanes:
                fields[lane] = {"valid": 1, "neuron": neuron, "offset": offset}
            last = n == len(issues) - 1
            issue = {"word": word, "lanes": fields, "last": last, "synapses": 7}
            issued = layout.const({"valid": 1, "issue": issue, "segment": segment})
            stream.append((issued.as_bits(), segment if last else None))
    due = {}
    for cycle, (word, ends) in enumerate([*stream, *[(0, None)] * (LATENCY + 2)]):
        dut.issued__0.value = word
        if ends:
            due[cycle + LATENCY] = ends
        reads = due.get(cycle)
        await RisingEdge(dut.clk)
        used = pair.from_bits(int(dut.sb_used.value))
        assert used.valid == bool(ends) and (not ends or (used.side, used.ends) == (
            ends["sb_side"], ends["release_sb"]))
        filled = pair.from_bits(int(dut.filled.value))
        assert filled.valid == (reads is not None)
        if reads:
            assert (filled.side, filled.ends) == (reads["nbout_side"], reads["publish"])
            book = pair.from_bits(int(dut.book_used.value))
            assert (book.side, book.ends) == (reads["book_side"], reads["release_book"])
        assert not int(dut.bad_index.value) and not int(dut.bad_synapses.value)
    assert not int(dut.busy.value)
    bits = cfg.acc_bits
    for (side, vector), sums in held.sums.items():
        dut.store_side.value, dut.store_vector.value = side, vector
        await RisingEdge(dut.clk)
        await RisingEdge(dut.clk)
        got = int(dut.stored.value)
        assert [got >> n * bits & (1 << bits) - 1 for n in range(cfg.tm)] == [
            v & (1 << bits) - 1 for v in sums], (side, vector)


@cocotb.test()
async def mistakes(dut):
    cfg, rand = bench_config(CambriconSConfig), rng()
    await start(dut)
    held, layout = Held(cfg, rand), issued_layout(cfg)
    await held.fill(dut)
    seen = await drive(dut, row_of_beats(cfg, "sb", [1, 1], cfg.sb_beats * cfg.memory_bits,
                                         first=cfg.sb_words - 1), dut.beyond)
    assert seen
    few = row_of_beats(cfg, "codebook", [1, 2], cfg.data_bits)      # two entries in use
    assert not await drive(dut, few, dut.beyond)
    for offset_ones, synapses in ((0, 3), (1, 7)):
        word = (1 << cfg.sb_word_bits) - 1 if offset_ones else 0
        rows = [sum(word << held.place(pe) for pe in range(cfg.tm))]
        await drive(dut, row_of_beats(cfg, "sb", rows, cfg.sb_beats * cfg.memory_bits))
        issue = {"word": 0, "lanes": [{"valid": 1, "neuron": 1, "offset": 0}] * cfg.tn, "last": 1,
                 "synapses": 7}
        segment = {"width": 3, "synapses": synapses, "begin": 1}
        issued = layout.const({"valid": 1, "issue": issue, "segment": segment})
        dut.issued__0.value = issued.as_bits()
        bad = [0, 0]
        for _ in range(5):
            await RisingEdge(dut.clk)
            dut.issued__0.value = 0
            bad[0] |= int(dut.bad_synapses.value)
            bad[1] |= int(dut.bad_index.value)
        assert bad == [synapses != 7, offset_ones]
