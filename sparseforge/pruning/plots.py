"""Pictures of a pruned network, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golden.cambricon_s.convergence import Convergence
from sparseforge.reproduce.plots import save


def bitmaps(path: Path, fine: np.ndarray, coarse: np.ndarray, title: str) -> Path:
    """Two indices as images, one over the other or side by side; black is a synapse."""
    from matplotlib import pyplot
    rows, columns = fine.shape
    down = columns > 1.5 * rows
    figure, axes = pyplot.subplots(2 if down else 1, 1 if down else 2,
                                   figsize=(9, 6) if down else (9, 5.2))
    for place, image, name in zip(axes, (fine, coarse), ("fine-grained", "coarse-grained"),
                                  strict=True):
        place.imshow(~image, cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        place.set(title=f"{name}: {image.mean():.1%} kept", xlabel="input synapse",
                  ylabel="output")
    figure.suptitle(title)
    figure.tight_layout()
    return save(figure, path)


def local_convergence(path: Path, layers: Mapping[str, tuple[Convergence, Convergence]],
                      title: str) -> Path:
    """Cumulative distributions of large weights per window: trained against as initialised."""
    from matplotlib import pyplot
    figure, all_axes = pyplot.subplots(1, len(layers), figsize=(4.2 * len(layers), 3.6),
                                       squeeze=False)
    for axes, (name, (trained, start)) in zip(all_axes[0], layers.items(), strict=True):
        for one, label, style in ((trained, "trained", "o-"), (start, "as initialised", "s--")):
            shown = np.arange(len(one.cumulative))
            axes.plot(shown, 100 * one.cumulative, style, markersize=4,
                      label=f"{label} (variance × {one.variance_ratio:.2f})")
        side = f"{trained.window} × {trained.window}"
        axes.set(title=name, xlabel=f"large weights in a {side} window",
                 ylabel="windows with at most so many, %", xlim=(-0.3, 9.3))
        axes.legend(loc="lower right", fontsize=8)
    figure.suptitle(f"{title}: local convergence (large: the largest "
                    f"{100 * trained.large:.0f} % by absolute value)")
    figure.tight_layout()
    return save(figure, path)


def sweep(path: Path, rows: Sequence[Mapping[str, Any]], dense: Sequence[float],
          title: str) -> Path:
    """Accuracy by block, all at one density: max against average pruning."""
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(8, 4.2))
    blocks = list(dict.fromkeys(row["block"] for row in rows))
    for offset, criterion, colour in ((-0.12, "average", "tab:blue"), (0.12, "max", "tab:orange")):
        mine = {row["block"]: row["accuracy"] for row in rows if row["criterion"] == criterion}
        x = [n + offset for n, block in enumerate(blocks) if block in mine]
        values = [100 * np.asarray(mine[block]) for block in blocks if block in mine]
        means = [v.mean() for v in values]
        spread = [[m - v.min() for m, v in zip(means, values, strict=True)],
                  [v.max() - m for m, v in zip(means, values, strict=True)]]
        axes.errorbar(x, means, spread, fmt="o", capsize=4, color=colour, label=f"{criterion}")
    axes.axhspan(100 * min(dense), 100 * max(dense), color="0.85", label="dense, all seeds")
    axes.set_xticks(range(len(blocks)), blocks, fontsize=8)
    axes.set(title=title, xlabel="block of the hidden layers", ylabel="held-out accuracy, %")
    axes.legend()
    return save(figure, path)
