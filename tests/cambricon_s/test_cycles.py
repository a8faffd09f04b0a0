"""The cycle model: sums, and what the switches save. That it is exact: `test_top.py`."""

from golden.cambricon_s.compile import compile
from golden.cambricon_s.cycles import cycles
from golden.cambricon_s.emit import Switches
from golden.layers import Layer
from golden.tensors import synthetic
from hw.cambricon_s.config import PRESETS

SMALL = PRESETS["small"]


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
