"""Sizes of compressed networks beside the paper's: shapes of AlexNet and VGG16, synthetic weights.

Nothing of them is trained here: kept blocks lie at random places, at the published densities.
"""

from __future__ import annotations

import shutil
from typing import Any

from golden.cambricon_s.compression import total
from golden.cambricon_s.irregularity import total as total_irregularity
from golden.formats import jbig
from sparseforge import progress
from sparseforge.networks import network
from sparseforge.pruning import synthetic

PAPER_RATIO = {"alexnet": 79, "vgg16": 98}      # dense bytes over compressed ones
PAPER_INDEX = {"alexnet": (2_950_000, 29_380)}  # bytes of the fine- and the coarse-grained index
PAPER_IRREGULARITY = 20.13                      # mean of the paper's networks


def compression() -> dict[str, Any]:
    """Compression ratios, index and irregularity (tables II to IV), synthetic weights."""
    rows, measure = [], shutil.which(jbig.ENCODER) is not None
    for name, paper in progress.steps(PAPER_RATIO.items(), len(PAPER_RATIO), "compressing"):
        parts = synthetic.network_sizes(network(name), 0, jbig=measure)
        local = total(name, [part.local for part in parts])
        single = total(name, [part.single for part in parts])
        found = [part.irregularity for part in parts if part.irregularity]
        fine, coarse = PAPER_INDEX.get(name, (None, None))
        rows.append({
            "network": name, "density": local.density, "W_p": local.ratio(local.pruned),
            "W_q": local.ratio(local.quantised), "W_c": local.ratio(local.encoded),
            "W_c, a codebook a layer": single.ratio(single.encoded), "paper": paper,
            "fine index": local.best_fine_index, "paper's fine index": fine,
            "index": local.best_index, "paper's index": coarse,
            "R_irr": total_irregularity(found).ratio if found else None,
            "paper's R_irr": PAPER_IRREGULARITY})
    return {"rows": rows, "cause":
            "Ratios: dense bytes over those left, the block index among them; bytes of indices are "
            "the shortest of ours. Where ours is lower: the densities are those that others "
            "published for fine-grained pruning (the paper's own are lost in its text), and random "
            "weights have the longest codes. R_irr is larger than the paper's, since single "
            "synapses at random places are as irregular as can be; trained ones cluster. What "
            "local quantisation saves, fewer bits at the same accuracy, needs trained weights, "
            "too: sparseforge prune --network digits."}
