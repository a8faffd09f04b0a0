"""Random shares of a PE for the tests of its blocks."""
import random
from dataclasses import replace

import numpy as np

from golden.mnf.mapping import mappings
from golden.mnf.passes import passes
from tests.common.random_layers import random_layer, random_tensors


def random_case(seed, config):
    """A layer, tensors and a PE's share of one of its mappings."""
    rnd = random.Random(seed)
    while True:
        layer = replace(random_layer(rnd), batch=1, product_shift=0, bias=False)
        ways = [m for m in mappings(layer, config) if m.load_passes == 1]
        if ways:
            break
    shares = rnd.choice([s for s in passes(rnd.choice(ways)) if s])
    return layer, random_tensors(np.random.default_rng(seed), layer), rnd.choice(shares)
