"""Which networks `sparseforge prune` trains, and how each of their layers is compressed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from golden.cambricon_s.pruning import Block, Pruning
from golden.cambricon_s.quantise import GLOBAL, Submatrices
from golden.layers import Layer, Pool
from sparseforge.networks import digits
from sparseforge.networks.digits.quantise import IMAGE_FRAC

CONV_BLOCK = Block(fout=16)         # (N_fin, N_fout, Kx, Ky) = (1, 16, 1, 1), as for AlexNet
FC_BLOCK = Block(fin=32, fout=32)
LAST_BLOCK = Block(fin=16, fout=16)
CONV_BITS, FC_BITS = 8, 4
MAX_2_2 = Pool(kind="max", k=2, s=2)


@dataclass(frozen=True)
class Plan:
    """A layer, how it is pruned, how many bits a weight index has, where codebooks change."""

    layer: Layer
    pruning: Pruning
    bits: int
    cut: Submatrices = GLOBAL

    def changed(self, block: Block, criterion: str | None = None,
                density: float | None = None) -> Plan:
        """In other blocks; with a `density`, to that instead of what the plan says."""
        how = replace(self.pruning, block=block,
                      criterion=criterion or self.pruning.criterion)      # type: ignore[arg-type]
        if density is not None:
            how = replace(how, density=density, threshold=None)
        return replace(self, pruning=how)


@dataclass(frozen=True)
class Effort:
    """Epochs: dense, per pruning round, after the last, with tied codebooks; and the rounds."""

    dense: int = 30
    rounds: int = 8
    each: int = 3
    settle: int = 16
    tied: int = 6

    @property
    def after(self) -> int:
        """Epochs that a pruned network is trained beyond the dense one it comes from."""
        return self.rounds * self.each + self.settle


@dataclass(frozen=True)
class Recipe:
    """A network that is trained, and its plan, a layer each."""

    name: str
    title: str
    plans: tuple[Plan, ...]
    effort: Effort

    @property
    def layers(self) -> list[Layer]:
        return [plan.layer for plan in self.plans]


def _conv(name: str, c: int, side: int, k: int) -> Layer:
    return Layer(name=name, c=c, h=side, w=side, k=k, r=3, s=3, pad=1, bias=True, relu=True,
                 pool=MAX_2_2)


def _fc(name: str, inputs: int, outputs: int, relu: bool = True) -> Layer:
    return Layer.fc(name, inputs, outputs, bias=True, relu=relu)


RECIPES = {recipe.name: recipe for recipe in (
    Recipe("digits", "CNN for the digits: two 3 × 3 convolutions, one FC layer", (
        Plan(_conv("conv1", 1, 8, 16), Pruning(block=CONV_BLOCK, density=0.8), 5),
        Plan(_conv("conv2", 16, 4, 32), Pruning(block=CONV_BLOCK, density=0.5), 5,
             Submatrices(outputs=16)),
        Plan(_fc("fc", 128, 10, False), Pruning(block=Block(fin=2, fout=10), density=0.6), FC_BITS,
             Submatrices(inputs=64))), Effort()),
    Recipe("digits-mlp", "MLP for the digits: 64-300-100-10", (
        Plan(_fc("fc1", 64, 300), Pruning(block=Block(fin=2, fout=16), density=0.3), FC_BITS,
             Submatrices(outputs=160)),
        Plan(_fc("fc2", 300, 100), Pruning(block=Block(fin=4, fout=16), density=0.2), FC_BITS,
             Submatrices(outputs=64, inputs=160)),
        Plan(_fc("fc3", 100, 10, False), Pruning(block=Block(fin=4, fout=10), density=0.5),
             FC_BITS)), Effort(dense=60, rounds=10, each=4, settle=40, tied=12)),
)}


@dataclass(frozen=True)
class Data:
    """Images float32 [N, 1, 8, 8] in 0…1 and their labels: to train on, and held out."""

    images: np.ndarray
    labels: np.ndarray
    held: np.ndarray
    held_labels: np.ndarray


def data() -> Data:
    """scikit-learn's digits; the held-out ones are used for nothing but figures."""
    (train, labels), (held, held_labels) = digits.training_images(), digits.images()
    scale = np.float32(2.0**-IMAGE_FRAC)
    return Data(train * scale, labels, held * scale, held_labels)


def block_for(layer: Layer, last: bool) -> Block:
    """The paper's block for a layer of AlexNet, made smaller where the layer is."""
    block = CONV_BLOCK if not layer.is_fc else LAST_BLOCK if last else FC_BLOCK
    return replace(block, fout=min(block.fout, layer.k // layer.groups),
                   fin=min(block.fin, layer.c // layer.groups))
