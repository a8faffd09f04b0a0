"""Training for real through the RTL: every weight after every step golden's, cycles the model's."""
import numpy as np
import pytest

from golden.tnpu.network import initial
from hw.tnpu.config import PRESETS
from sparseforge.reproduce.tnpu_networks import lenet5
from sparseforge.training import digits
from sparseforge.training.rtl import train_rtl

RATES = {"rate": 0.05, "momentum": 0.9, "look_ahead": 2}


def trained(preset, net, batches, **options):
    out = train_rtl(net, initial(net, 1), batches, PRESETS[preset], simulator="verilator",
                    **RATES | options)
    print({name: out[name] for name in ("cycles", "cycles_per_s", "build_s", "wall_s")})
    assert out["mismatches"] == 0 and out["differences"] == []
    assert out["cycles"] == [out["model_cycles"]] * len(batches)
    return out["losses"]


def digit_batches(batch, count):
    return list(digits.batches(digits.load()[0], batch, 1, 1))[:count]


def test_two_batches():
    losses = trained("small", digits.network(maps=digits.LENET), digit_batches(10, 2))
    assert losses[1] < losses[0]


@pytest.mark.regress
@pytest.mark.parametrize("loss, rate, falls_to", [("mse", 0.05, 0.7), ("softmax", 0.2, 0.9)])
def test_twenty_batches_and_the_loss_falls(loss, rate, falls_to):
    """200 images of an epoch's 1,198: all classes are alike by then, and little more is learnt."""
    losses = trained("small", digits.network(loss, maps=digits.LENET), digit_batches(10, 20),
                     rate=rate)
    assert np.mean(losses[-5:]) < falls_to * np.mean(losses[:5])


@pytest.mark.regress
def test_fifty_digits_at_the_papers_size():
    trained("paper", digits.network(), digit_batches(50, 1))


@pytest.mark.regress
def test_lenet5_at_the_papers_size():
    net = lenet5()
    rng = np.random.default_rng(1)
    first, last = net.layers[0], net.layers[-1]
    images = rng.random((5, first.c, first.h, first.w), np.float32)
    labels = rng.integers(0, last.k, 5)
    trained("paper", net, [(images, np.eye(last.k, dtype=np.float32)[labels])])
