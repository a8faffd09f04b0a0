"""The cycle model: what the RTL counted, sums, and what the switches save."""

import pytest

from golden.cambricon_s.compile import compile
from golden.cambricon_s.cycles import cycles
from golden.cambricon_s.emit import Switches
from golden.layers import Layer, Pool
from golden.tensors import synthetic
from hw.cambricon_s.config import PRESETS

SMALL = PRESETS["small"]
# Layers, and what the Top in Icarus counted of them.
SEEN = [
    (Layer(name="conv", c=5, h=5, w=4, k=5, r=3, s=3, pad=1, shift=6, out_bits=8, relu=True,
           bias=True), 941,
     {"multiply": 532, "view": 24, "exhausted": 476, "latency": 88, "nbout": 0, "nbin": 236,
      "sib": 8, "sb": 228, "book": 348},
     {"lanes": 485, "issues": 146, "segments": 40, "beats_nbin": 56, "beats_sib": 2,
      "beats_sb": 16, "beats_codebook": 20, "beats_bias": 4, "beats_ib": 92, "beats_store": 40}),
    (Layer(name="convp", c=8, h=6, w=6, k=4, r=2, s=2, shift=6, out_bits=8,
           pool=Pool(kind="avg", k=2, s=2)), 660,
     {"multiply": 308, "view": 0, "exhausted": 0, "latency": 84, "nbout": 0, "nbin": 340,
      "sib": 4, "sb": 32, "book": 328},
     {"lanes": 256, "issues": 77, "segments": 32, "beats_nbin": 25, "beats_sib": 1, "beats_sb": 8,
      "beats_codebook": 6, "beats_bias": 2, "beats_ib": 56, "beats_store": 4}),
]


@pytest.mark.regress
def test_what_the_rtl_counted():
    for seed, (layer, expected, causes, counters) in enumerate(SEEN):
        given = synthetic(layer, weight_density=0.4, activation_density=0.6, data_bits=8, seed=seed)
        report = cycles(compile([layer], [given], SMALL))
        assert report.cycles == expected
        causes = {**causes, "imbalance": 0,
                  "idle": SMALL.tm * expected - sum(causes.values())}
        assert report.causes == causes
        assert {k: v for k, v in report.counters.items() if v} == {
            k: v for k, v in counters.items() if v}


@pytest.mark.regress
def test_switches_and_densities():
    """Each switch saves multiplications; the causes sum to the cycles."""
    layer = Layer(c=8, h=3, w=3, k=4, r=3, s=3, pad=1, shift=9, out_bits=8)
    given = synthetic(layer, weight_density=0.4, activation_density=0.5, data_bits=8,
                      block=(1, 4, 1, 1))
    found = {}
    for static in (False, True):
        for dynamic in (False, True):
            program = compile([layer], [given], SMALL, switches=Switches(static, dynamic))
            report = cycles(program, latency=20)
            assert sum(report.causes.values()) == SMALL.tm * report.cycles
            found[static, dynamic] = report.macs_done
    assert found[True, True] < found[True, False] < found[False, False] == layer.macs
    assert found[True, True] < found[False, True] < found[False, False]
