# Ref: Yang et al., "S2 Engine", section 4.2, Fig. 5: ECOO compression, of a whole group at once.
from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import VALUE_BITS
from .edge import group_layout
from .layouts import feature_layout


def outgoing_layout(cfg):
    """A group of values; ``last``: the end of those that come together. For the naive array:
    ``channels`` that it has, less one."""
    return data.StructLayout({"values": group_layout(cfg), "last": 1,
                              **({"channels": range(cfg.group)} if cfg.naive else {})})


def tokens_layout(cfg):
    """Tokens of a line, zeros behind them; ``last`` as that of the group, with its last line."""
    return data.StructLayout({"tokens": data.ArrayLayout(feature_layout(cfg), cfg.group),
                              "last": 1})


class Encoder(wiring.Component):
    """Compresses groups to ECOO: the tokens of a group side by side, in one or two lines.

    One line per cycle; a group that is taken in cycle t is at the output in t + 1. The tokens of
    zeros are squeezed out by a network of shifters: token n moves by the number of empty places
    before it, bit by bit of that number, the lowest first, which never moves two into one place.
    For the naive array every channel has a token, zeros too.

    Parameters
    ----------
    cfg : StationaryConfig

    Members
    -------
    double : In(1)
        Two lines per group, for values of 16 bits; constant.
    i : In(stream.Signature(outgoing_layout(cfg)))
    o : Out(stream.Signature(tokens_layout(cfg)))
    """

    def __init__(self, cfg):
        self.cfg = cfg
        super().__init__({
            "double": In(1),
            "i": In(stream.Signature(outgoing_layout(cfg))),
            "o": Out(stream.Signature(tokens_layout(cfg))),
        })

    def elaborate(self, platform):
        m = Module()
        group = self.cfg.group
        tokens = self._squeeze(m, *self._tokens(m))
        width = feature_layout(self.cfg).size
        full, second, last = Signal(), Signal(), Signal()
        held, final = Signal(len(tokens)), Signal()
        m.d.comb += [
            final.eq(second | ~self.double),
            self.o.valid.eq(full), self.o.p.last.eq(last & final),
            self.o.p.tokens.as_value().eq(held),
            self.i.ready.eq(~full | (self.o.ready & final)),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [second.eq(~final), held.eq(held >> group * width), full.eq(~final)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(1), held.eq(tokens), last.eq(self.i.p.last)]
        return m

    def _tokens(self, m):
        """Every token that the group may have, in order, and which of them it has."""
        cfg, places = self.cfg, []
        for n in range(cfg.group):
            value = Value.cast(self.i.p["values"][n])
            there = Signal(name=f"there_{n}")
            m.d.comb += there.eq((n <= self.i.p.channels) if cfg.naive else value.any())
            wide = Const(0)
            if cfg.mixed:
                wide, high = Signal(name=f"wide_{n}"), value[VALUE_BITS - 1:]
                m.d.comb += wide.eq(high.any() & ~high.all())
            for part in range(1 + cfg.mixed):
                token = Signal(feature_layout(cfg), name=f"token_{n}_{part}")
                m.d.comb += [token.value.eq(value[part * VALUE_BITS:][:VALUE_BITS]),
                             token.offset.eq(n)]
                if cfg.mixed:
                    m.d.comb += token.tag.eq(wide)
                places.append((token, wide if part else there))
        for n, (token, _) in enumerate(places):
            m.d.comb += token.eog.eq(~Cat(there for _, there in places[n + 1:]).any())
        return [token for token, _ in places], [there for _, there in places]

    def _squeeze(self, m, tokens, there):
        """The tokens that are there, from the first place on; of none, a placeholder."""
        if self.cfg.naive:
            return Cat(Mux(valid, token, 0) for token, valid in zip(tokens, there, strict=True))
        count = len(tokens)
        words, gaps = [], []            # what stands in each place, how far it still moves
        before = Const(0, count.bit_length())
        for n, (token, valid) in enumerate(zip(tokens, there, strict=True)):
            word, gap = Signal(token.shape().size + 1, name=f"place_{n}"), Signal(
                count.bit_length(), name=f"gap_{n}")
            m.d.comb += [word.eq(Mux(valid, Cat(token, 1), 0)), gap.eq(before)]
            following = Signal(count.bit_length(), name=f"before_{n}")
            m.d.comb += following.eq(gap + ~valid)
            words.append(word)
            gaps.append(Mux(valid, gap, 0))
            before = following
        for bit in range((count - 1).bit_length()):
            step, moved, left = 1 << bit, [], []
            for n in range(count):
                word, gap = Signal.like(words[n], name=f"moved_{bit}_{n}"), Signal(
                    count.bit_length(), name=f"left_{bit}_{n}")
                stays = ~gaps[n][bit]
                m.d.comb += [word.eq(Mux(stays, words[n], 0)), gap.eq(Mux(stays, gaps[n], 0))]
                if n + step < count:
                    with m.If(gaps[n + step][bit]):
                        m.d.comb += [word.eq(words[n + step]), gap.eq(gaps[n + step])]
                moved.append(word)
                left.append(gap)
            words, gaps = moved, left
        width = len(words[0]) - 1
        empty = feature_layout(self.cfg).const({"eog": 1}).as_bits()
        first = Mux(words[0][width], words[0][:width], empty)
        return Cat(first, *(word[:width] for word in words[1:]))
