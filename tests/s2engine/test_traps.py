"""Where arrays of this kind go wrong: each trap by itself, on the array stepped cycle by cycle.

The RTL is that model in every cycle: see the benches of DS, PE and PEArray, which have such data.
"""
import dataclasses

import pytest

from golden.s2engine.ds import group_steps
from golden.s2engine.pe import MULTIPLY
from golden.s2engine.stepped import Array
from golden.s2engine.tokens import wrap
from hw.s2engine.config import S2Config
from sim.s2engine.flows import encode, joined

GROUP = 8
CONFIG = S2Config(rows=2, cols=2, group=GROUP, mixed=True)


def run(w, f, **changes):
    """The array with these kernels by column and by row; checks all sums, in order."""
    config = dataclasses.replace(CONFIG, rows=len(f), cols=len(w), **changes)
    array = Array([joined(flow, config, eok=True) for flow in w],
                  [joined(flow, config, eok=False) for flow in f], config).run()
    for row, got in zip(f, array.results, strict=True):
        expected = [wrap(sum(a * b for a, b in zip(column[k], row[k], strict=True)), 32)
                    for k in range(len(row)) for column in w]
        assert [value for value, _ in got] == expected
    return array


NONE, ALL = [0] * GROUP, list(range(1, GROUP + 1))
ONE, OTHER = [0, 0, 5, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 7]


@pytest.mark.parametrize("w, f", [(NONE, NONE), (NONE, ALL), (ALL, NONE)])
def test_a_placeholder_never_multiplies(w, f):
    assert not any(step.entry for step in group_steps(encode(w, GROUP), encode(f, GROUP)))
    array = run([[w]] * 2, [[f]] * 2)
    assert array.causes[MULTIPLY] == 0


@pytest.mark.parametrize("ratio", [1, 4])
def test_the_last_words_of_a_kernel_match_nothing(ratio):
    run([[ONE + OTHER, ONE + ONE], [OTHER + ONE, OTHER + OTHER]],
        [[ONE + ONE, OTHER + OTHER], [ALL + OTHER, ONE + NONE]], ratio=ratio)


def test_fewer_words_than_rows_and_none_at_all():
    for kernel in (ONE, NONE):
        run([[kernel] * 5] * 2, [[ALL] * 5] * 6)


@pytest.mark.parametrize("depth", [1, 2, 16, 64])
def test_short_kernels_at_ratio_1(depth):
    w = [[ONE, NONE, ALL, OTHER, ONE, ALL], [ALL, ALL, NONE, NONE, OTHER, ONE]]
    run(w, w[::-1] * 2, ratio=1, w_depth=depth, f_depth=depth, wf_depth=depth)


@pytest.mark.parametrize("ratio", [1, 8])
def test_16_bit_values_at_depth_1(ratio):
    wide = [-32768, 32767, 256, -256, 255, -129, 128, 1]
    run([[wide + ONE, wide[::-1] + wide]] * 3, [[wide + wide, wide + OTHER]] * 3, ratio=ratio,
        w_depth=1, f_depth=1, wf_depth=1)


def test_16_bit_values_cost_no_more_than_their_products():
    """A share p of 16-bit data takes (1 + p)^2 multiplications for each one: four at p = 1."""
    wide = [1000 + n for n in range(GROUP)]
    both, one, none = (run([[w * 3]], [[f * 3]]).causes[MULTIPLY]
                       for w, f in ((wide, wide), (wide, ALL), (ALL, ALL)))
    assert (both, one, none) == (4 * 3 * GROUP, 2 * 3 * GROUP, 3 * GROUP)


def test_results_do_not_overtake_each_other():
    """The first column is slow, the last has nothing to do: its sums wait."""
    array = run([[ALL * 4] * 3, [ONE * 4] * 3, [NONE * 4] * 3], [[ALL * 4] * 3])
    order = [cycle for _, cycle in array.results[0]]
    assert order == sorted(order)
