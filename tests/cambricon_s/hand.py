"""Programs by hand: a memory image piece by piece, instructions as text, runs on the Top."""

import zlib

import numpy as np

from golden.cambricon_s.functions import apply
from golden.cambricon_s.instructions import assemble
from golden.formats.bits import pack_record
from golden.formats.lines import pack_lines
from golden.program import Image
from hw.cambricon_s.instruction import DESCRIPTOR_FIELDS, line_beats, word_bits
from sim.common import program as host


class Hand:
    """A memory image and the program that is to work on it; words are text."""

    def __init__(self, cfg):
        self.cfg, self.image = cfg, Image(0, cfg.memory_bits, 32)
        self.words, self.descriptors = [], []

    def place(self, data):
        """Bytes into the image: " address= beats= crc= checked=1" for a LOAD of all of them."""
        beats = -(-len(data) // self.image.beat)
        whole = data.ljust(beats * self.image.beat, b"\0")
        where = self.image.append(whole)
        return f" address={where} rows=1 beats={beats} crc={zlib.crc32(whole)} checked=1"

    def neurons(self, values):
        return self.place(np.asarray(values).astype(f"<i{self.cfg.data_bits // 8}").tobytes())

    def index(self, windows):
        """A list of boolean windows as SIB words."""
        bits = "".join("".join(str(int(b)) for b in w).ljust(self.cfg.window, "0") for w in windows)
        return self.place(int(bits[::-1], 2).to_bytes(len(bits) // 8, "little"))

    def synapses(self, values, width):
        """[PE][synapse] integers of `width` bits as rows of SB words."""
        cfg, per_word = self.cfg, self.cfg.sb_word_bits // width
        rows, out = -(-max(map(len, values)) // per_word), b""
        for row in range(rows):
            part = b""
            for pe in range(cfg.tm):
                mine = values[pe][row * per_word:(row + 1) * per_word] if pe < len(values) else []
                word = sum((int(v) & (1 << width) - 1) << n * width for n, v in enumerate(mine))
                part += word.to_bytes(cfg.sb_word_bits // 8, "little")
            out += part.ljust(cfg.sb_beats * cfg.beat_bytes, b"\0")
        return self.place(out) + f" granules={rows}"

    def bias(self, values):
        full = list(values) + [0] * (self.cfg.tm - len(values))
        return self.place(np.array(full, "<i8").tobytes())

    def book(self, values):
        return self.neurons(values) + f" granules={len(values)}"

    def add(self, text):
        self.words.append(text)

    def finish(self):
        """Lines of the program, with a LOAD of the next half in the first word of each half."""
        cfg, half = self.cfg, self.cfg.ib_words // 2
        size = line_beats(cfg) * cfg.beat_bytes
        halves = [self.words[n:n + half - 1] for n in range(0, len(self.words), half - 1)]
        start, texts = self.image.end, []
        for n, words in enumerate(halves):
            if n + 1 < len(halves):
                count = len(halves[n + 1]) + (n + 2 < len(halves))
                where = start + (n + 1) * half * size
                words = [f"load to=ib side={(n + 1) % 2} address={where} rows=1 granules={count} "
                         f"beats={count * line_beats(cfg)} acquire=1 publish=1", *words]
            texts += words
        raw = np.array([list(assemble(t, cfg).to_bytes((word_bits(cfg) + 7) // 8, "little"))
                        for t in texts], np.uint8)
        self.image.append(pack_lines(raw, word_bits(cfg), cfg.memory_bits).tobytes())
        values = {"program": start, "words": len(texts)}
        self.descriptors.append(pack_record([(name, bits, values[name])
                                             for name, bits in DESCRIPTOR_FIELDS],
                                            cfg.memory_bits))
        self.words = []
        return texts

    def job(self, room=1 << 12, **options):
        """The image with `room` bytes behind it, and the writes that start it."""
        at = self.image.append(b"".join(self.descriptors))
        image = bytes(self.image.whole())
        writes = (("WINDOW_BASE_LO", 0), ("WINDOW_SIZE_LO", len(image) + room),
                  ("WINDOW_SIZE_HI", 0), *host.start_writes(at, len(self.descriptors)))
        return host.Job(image=image + bytes(room), writes=writes, max_cycles=1 << 14, **options)


def fc(cfg, rand, *, inputs, outputs, batch=1, width=16, density=1.0, zeros=0.0, entries=None,
       dense=False, dynamic=True, function="none", spoil=None):
    """A fully connected layer in as many chunks as SB asks for. Returns (Hand, outputs' address,
    bytes from one row of outputs to the next, expected int64 [batch, outputs]). `spoil`: what
    becomes of each instruction's text."""
    h, tn = Hand(cfg), cfg.tn
    limit = 1 << cfg.data_bits - 1
    padded = -(-inputs // tn) * tn
    x = rand.integers(-limit, limit, (batch, padded))
    x[rand.random((batch, padded)) < zeros] = 0
    x[:, inputs:] = 0
    chunk = min(cfg.sb_words * cfg.sb_word_bits // width, cfg.sib_words * cfg.window) // tn * tn
    pitch = -(-outputs * cfg.data_bits // 8 // cfg.beat_bytes) * cfg.beat_bytes
    out = h.image.append(bytes(pitch * batch))
    flags = f"dense={int(dense)} dynamic={int(dynamic)}"
    sums = np.zeros((batch, outputs), np.int64)
    h.add(f"load to=nbin granules={batch * padded // tn} acquire=1 publish=1" + h.neurons(x))
    pingpong, shift = 0, cfg.data_bits + 3
    groups = range(0, outputs, cfg.tm)
    for g, first in enumerate(groups):
        lanes, book, side = min(cfg.tm, outputs - first), None, g % 2
        bias = rand.integers(-1000, 1000, lanes)
        if width < 16:
            book = rand.integers(-limit, limit, entries or 1 << width)
            h.add(f"load to=codebook side={side} acquire=1" + h.book(book))
        h.add(f"load to=bias side={side} granules=1 publish=1 acquire={int(book is None)}"
              + h.bias(bias))
        sums[:, first:first + lanes] += bias
        for start in range(0, inputs, chunk):
            n = min(chunk, inputs - start)
            index = rand.random(n) < density if not dense else np.ones(n, bool)
            taken = int(index.sum())
            if book is None:
                w = rand.integers(-limit, limit, (lanes, taken))
                stored = w
            else:
                stored = rand.integers(0, len(book), (lanes, taken))
                w = book[stored]
            sums[:, first:first + lanes] += x[:, start:start + n][:, index] @ w.T
            windows = [index[k:k + cfg.window] for k in range(0, n, cfg.window)]
            h.add(f"load to=sib side={pingpong} granules={len(windows)} acquire=1 publish=1"
                  + h.index(windows))
            h.add(f"load to=sb side={pingpong} acquire=1 publish=1"
                  + h.synapses(stored.tolist() if taken else [[0]], width))
            final = start + chunk >= inputs
            h.add(f"compute nbin_side=0 nbin_first={start // tn} positions={batch} "
                  f"position_step={padded // tn} outer=1 inner=1 run={n} sib_side={pingpong} "
                  f"sb_side={pingpong} sb_word=0 width={width.bit_length() - 1} synapses={taken} "
                  f"book_side={side} nbout_side={side} nbout_step=1 {flags} "
                  f"begin={int(start == 0)} acquire={int(start == 0)} publish={int(final)} "
                  f"release_sib=1 release_sb=1 release_book={int(final)} "
                  f"release_nbin={int(final and first == groups[-1])}")
            pingpong ^= 1
        h.add(f"store nbout_side={side} nbout_first=0 rows=1 columns={batch} row_step=1 "
              "multiplier=3 "
              f"shift={shift} out_bits={cfg.data_bits - 1} function={function} pool_rows=1 "
              f"pool_columns=1 pool_s=1 lanes={lanes} pixel_pitch={pitch} release=1 "
              f"address={out + first * cfg.data_bits // 8}")
    if spoil is not None:
        h.words = [spoil(word) for word in h.words]
    h.finish()
    return h, out, pitch, _finish(sums, 3, shift, function, cfg)


def _finish(sums, multiplier, shift, function, cfg):
    value = sums * multiplier
    floor, rest = value >> shift, value & (1 << shift) - 1
    half = 1 << shift - 1
    value = floor + ((rest > half) | ((rest == half) & (floor & 1 == 1)))
    limit = 1 << cfg.data_bits - 1
    value = np.clip(value, -limit, limit - 1)
    if function == "relu":
        return np.maximum(value, 0)
    if function != "none":
        return apply(function, value, cfg.data_bits, cfg.table_bits)
    return value


def read(memory, at, pitch, batch, outputs, cfg):
    """[batch, outputs] out of the memory that a run left."""
    raw = np.frombuffer(memory, f"<i{cfg.data_bits // 8}", offset=at,
                        count=batch * pitch * 8 // cfg.data_bits)
    return raw.reshape(batch, -1)[:, :outputs].astype(np.int64)
