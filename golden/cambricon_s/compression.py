# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section III-D, tables II and IV: compression ratios.
"""What a compressed layer weighs, step by step: W_p pruned, W_q quantised, W_c Huffman-coded.

Sizes are bytes of files that `golden.formats` writes: headers and tables count. A dense weight
has 4 bytes (fp32), and so has a codebook's entry. The index is that of the blocks, a bit each, or
Huffman-coded where that is shorter; beside it stands the index that single synapses would need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from golden.cambricon_s.pruning import Block
from golden.cambricon_s.quantise import Quantised
from golden.formats import huffman
from golden.formats.coarse_grain import best_gap_bits, block_index, gaps

FLOAT = 4               # bytes of a dense weight, and of a codebook's entry
STEP_BITS = 4           # of the relative index of fine-grained pruning, as in Deep Compression


@dataclass(frozen=True)
class Sizes:
    """Bytes of a layer or, summed, of a network; `bits` are mean weight index bits."""

    name: str
    synapses: int
    kept: int
    blocks: int
    entries: int                # of all codebooks
    index_bits: int             # of all weight indices as they stand: kept × bits
    coded: int                  # Huffman stream of the weight indices
    index: int                  # block index, a bit per block
    index_coded: int            # the same, Huffman-coded gaps
    fine_index: int             # a bit per synapse
    fine_steps: int             # relative steps of STEP_BITS per synapse left, and placeholders
    fine_coded: int             # Huffman-coded gaps of single synapses

    @property
    def density(self) -> float:
        return self.kept / self.synapses

    @property
    def dense(self) -> int:
        return FLOAT * self.synapses

    @property
    def pruned(self) -> int:
        """W_p: the synapses left, 4 bytes each."""
        return FLOAT * self.kept

    @property
    def quantised(self) -> int:
        """W_q: weight indices and codebooks."""
        return -(-self.index_bits // 8) + FLOAT * self.entries

    @property
    def encoded(self) -> int:
        """W_c: weight indices Huffman-coded where that is shorter, and codebooks."""
        return min(self.coded, -(-self.index_bits // 8)) + FLOAT * self.entries

    @property
    def best_index(self) -> int:
        return min(self.index, self.index_coded)

    @property
    def best_fine_index(self) -> int:
        return min(self.fine_index, self.fine_steps, self.fine_coded)

    def ratio(self, weights: int) -> float:
        """Dense bytes over those of `weights` (a W) and the block index."""
        return self.dense / (weights + self.best_index)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        steps = {"w_p": self.pruned, "w_q": self.quantised, "w_c": self.encoded}
        return {**asdict(self), "density": self.density, "dense": self.dense, **steps,
                "weight_bits": self.index_bits / self.kept,
                "coded_bits": 8 * self.coded / self.kept, "index_best": self.best_index,
                "fine_index_best": self.best_fine_index,
                "index_ratio": self.best_fine_index / self.best_index,
                **{f"ratio_{name[-1]}": self.ratio(size) for name, size in steps.items()}}


def sizes(name: str, layer: Quantised, block: Block, fine: np.ndarray | None = None,
          groups: int = 1) -> Sizes:
    """Of a quantised layer of whole blocks; `fine`: the fine-grained mask to hold it against
    (as many synapses of the same tensor; the layer's own mask if None)."""
    grid = block_index(layer.mask, block, groups)
    return tally(name, grid, layer.mask if fine is None else fine, layer.counts(),
                 int(layer.used.sum()), layer.bits)


def tally(name: str, grid: np.ndarray, fine: np.ndarray, counts: np.ndarray, entries: int,
          bits: int) -> Sizes:
    """From a block index, a fine-grained mask, and how often each weight index occurs."""
    kept = int(counts.sum())
    return Sizes(name, fine.size, kept, grid.size, entries, kept * bits,
                 huffman.stream_bytes(counts), -(-grid.size // 8), _coded(grid),
                 -(-fine.size // 8), -(-_steps(fine) * STEP_BITS // 8), _coded(fine))


def _coded(flags: np.ndarray) -> int:
    flat = flags.reshape(-1)
    bits = best_gap_bits(flat)
    return huffman.stream_bytes(np.bincount(gaps(flat, bits), minlength=1 << bits))


def _steps(flags: np.ndarray) -> int:
    return len(gaps(flags.reshape(-1), STEP_BITS))


def total(name: str, parts: Sequence[Sizes]) -> Sizes:
    """Sums over layers."""
    return Sizes(name, *(sum(getattr(p, field) for p in parts)
                         for field in list(Sizes.__dataclass_fields__)[1:]))
