"""Plots of a training, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sparseforge.reproduce.plots import save
from sparseforge.training.digits import Epoch


def curves(path: Path, course: Sequence[Epoch]) -> Path:
    """Loss and accuracy over the epochs."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator
    figure, left = pyplot.subplots(figsize=(6, 4))
    numbers = [epoch.number for epoch in course]
    left.plot(numbers, [epoch.loss for epoch in course], "o-", color="tab:blue")
    left.set(xlabel="epoch", title="digits, trained in TNPU's arithmetic")
    left.set_ylabel("mean loss", color="tab:blue")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right = left.twinx()
    right.plot(numbers, [100 * epoch.accuracy for epoch in course], "s-", color="tab:orange")
    right.set_ylabel("held out, % right", color="tab:orange")
    right.set_ylim(0, 100)
    return save(figure, path)
