"""ECOO: round trips, the paper's toy example, refusals."""

import numpy as np
import pytest

from golden.formats import ecoo
from tests.s2engine.streams import dense


@pytest.mark.parametrize("wide", [0.0, 0.035, 0.5, 1.0])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.6, 1.0])
def test_round_trip(density, wide):
    rng = np.random.default_rng(1)
    groups = dense(rng, (200,), 16, density, wide)
    tokens = ecoo.compress(groups)
    assert (ecoo.decompress(tokens, 200, 16) == groups).all()
    assert tokens.eog.sum() == 200
    extra = ecoo.wide(groups).sum() + (~groups.any(axis=1)).sum()
    assert len(tokens.value) == (groups != 0).sum() + extra
    packed = ecoo.pack(tokens, 4, mixed=True)
    assert packed.max(initial=0) < 1 << 14
    again = ecoo.unpack(packed, 4, mixed=True)
    assert (ecoo.decompress(again, 200, 16) == groups).all()


def test_extremes():
    values = np.array([[-32768, 32767, -128, 127, 128, -129, 256, -256, 255, -1]])
    tokens = ecoo.compress(values)
    assert (ecoo.decompress(tokens, 1, 10) == values).all()
    assert tokens.tag.sum() == 2 * 7


def test_figure_5():
    """Offsets and EOG of the toy example; an empty group keeps one zero."""
    groups = np.array([[1, 2, 0, 3, 0, 0], [0, 0, 0, 0, 4, 0], [0] * 6])
    tokens = ecoo.compress(groups)
    assert tokens.offset.tolist() == [0, 1, 3, 4, 0]
    assert tokens.eog.tolist() == [False, False, True, True, True]
    assert tokens.value.tolist() == [1, 2, 3, 4, 0]


@pytest.mark.parametrize("change, message", [
    ({"offset": [1, 0]}, "must ascend"), ({"offset": [1, 1]}, "must ascend"),
    ({"offset": [0, 9]}, "must be below 6"), ({"eog": [False, False]}, "must hold 1 groups"),
    ({"tag": [False, True]}, "followed by its high half"),
    ({"tag": [True, True]}, "must ascend"), ({"value": [1, 0]}, "must stand alone"),
])
def test_refusals(change, message):
    fields = {"group": [0, 0], "value": [1, 2], "offset": [0, 1], "eog": [False, True],
              "tag": [False, False]} | change
    tokens = ecoo.Tokens(*(np.array(fields[name]) for name in ecoo.Tokens._fields))
    with pytest.raises(ValueError, match=message):
        ecoo.decompress(tokens, 1, 6)
