"""Training for real through the RTL: every weight after every step golden's, cycles the model's."""
import numpy as np
import pytest

from golden.tnpu.network import initial
from hw.tnpu.config import PRESETS
from sparseforge.reproduce.tnpu_networks import lenet5
from sparseforge.training import digits
from sparseforge.training.rtl import train_rtl

RATES = {"rate": 0.05, "momentum": 0.9, "look_ahead": 2}


def trained(preset, net, batches, schedule="sosm"):
    out = train_rtl(net, initial(net, 1), batches, PRESETS[preset], schedule=schedule,
                    simulator="verilator", **RATES)
    assert out["mismatches"] == 0 and out["differences"] == []
    assert out["cycles"] == [out["model_cycles"]] * len(batches)
    return out["losses"]


def digit_batches(batch, count):
    return list(digits.batches(digits.load()[0], batch, 1, 1))[:count]


@pytest.mark.regress
def test_two_batches():
    trained("small", digits.network(), digit_batches(10, 2))


@pytest.mark.regress
def test_twenty_batches_and_the_loss_falls():
    losses = trained("small", digits.network(), digit_batches(10, 20))
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) / 2


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
