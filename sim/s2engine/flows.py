"""Random weight and feature flows for the benches, and models that speak in packed words."""
from functools import partial

from golden.s2engine.tokens import Token, pack_pair, pack_result, pack_token


def encode(values, group, eok=False):
    """The ECOO tokens of integers: zeros are left out, an empty group is one zero."""
    tokens = []
    for start in range(0, len(values), group):
        part = []
        for offset, value in enumerate(values[start:start + group]):
            if -128 <= value < 128:
                part += [Token(value & 255, offset)] if value else []
            else:
                part += [Token(value & 255, offset, 1), Token(value >> 8 & 255, offset, 1)]
        part = part or [Token(0, 0)]
        tokens += [*part[:-1], part[-1]._replace(eog=1)]
    return [*tokens[:-1], tokens[-1]._replace(eok=1)] if eok else tokens


def random_values(rng, count, density, wide):
    """Integers: zero but for a share ``density``; of those a share ``wide`` of up to 16 bits."""
    def one():
        if rng.random() >= density:
            return 0
        if rng.random() < wide:
            return rng.choice([rng.randrange(-2**15, 2**15), -2**15, 2**15 - 1, 256, -256])
        return rng.choice([rng.randrange(-128, 128), 1 << rng.randrange(7), -128, 127])
    return [one() for _ in range(count)]


def random_kernels(rng, config, flows, kernels, lengths=(1, 2, 3)):
    """Per flow and kernel a list of values; the flows agree on the groups of each kernel.

    Densities and the share of 16-bit values change from kernel to kernel; some are all zero.
    """
    table = [[] for _ in range(flows)]
    for _ in range(kernels):
        count = rng.choice(lengths) * config.group
        for flow in table:
            density = rng.choice([0, 0.2, 0.7, 1])
            wide = rng.choice([0, 0.05, 0.5, 1]) if config.mixed else 0
            flow.append(random_values(rng, count, density, wide))
    return table


def joined(kernels, config, eok):
    """One flow's kernels as tokens."""
    return [token for kernel in kernels for token in encode(kernel, config.group, eok)]


def packers(config):
    """Per stream of DS and PE, how a tuple becomes a word."""
    weight, feature = (partial(pack_token, config=config, weight=weight) for weight in (1, 0))
    result = partial(pack_result, config=config)
    return {"w_i": weight, "w_o": weight, "f_i": feature, "f_o": feature,
            "pair": partial(pack_pair, config=config), "r_i": result, "r_o": result}


class Packed:
    """A model whose words are tuples, for `lockstep`, which drives and sees packed ones.

    ``pack`` gives the way by stream name; a word that comes in must have been made with `source`.
    """

    def __init__(self, model, pack):
        self.model, self.pack = model, pack
        self.inputs, self.outputs = model.inputs, model.outputs
        self.reset, self.known = model.reset, {name: {} for name in pack}

    def source(self, name, words):
        """Offers the words in order, then none; or those of ``words(rng)``, if it is callable."""
        rest = None if callable(words) else iter(words)

        def offer(rng):
            word = words(rng) if rest is None else next(rest, None)
            if word is None:
                return None
            packed = self.pack[name](word)
            self.known[name][packed] = word
            return packed
        return offer

    def _tuples(self, offered):
        return {name: self.known[name][word] if name in self.pack and word is not None else word
                for name, word in offered.items()}

    def look(self, offered, ready):
        taken, words, signals = self.model.look(self._tuples(offered), ready)
        return taken, {name: self.pack[name](word) if name in self.pack and word is not None
                       else word for name, word in words.items()}, signals

    def step(self, offered, ready):
        self.model.step(self._tuples(offered), ready)
