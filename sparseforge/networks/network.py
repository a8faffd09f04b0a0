"""The networks by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from golden import layers, tensors
from golden.layers import Layer
from golden.tensors import Tensors
from sparseforge.networks import tables
from sparseforge.networks.densities import Densities, densities


@dataclass(frozen=True)
class Entry:
    """A layer of a network and the densities that are known or assumed of it."""

    layer: Layer
    densities: Densities


@dataclass(frozen=True)
class Network:
    """A built-in network.

    `chain`: each layer reads the one before it, so that the layers can run back to back;
    elsewhere (branches, sums) they run one by one. `compared` names the layers that published
    comparisons count: the convolutions, in GoogLeNet those of the inception modules. `file` holds
    its weights, if it was trained on the digits: no tensor is synthetic then.
    """

    name: str
    title: str
    entries: tuple[Entry, ...]
    chain: bool
    compared: tuple[str, ...]
    file: Path | None = None

    @property
    def trained(self) -> bool:
        return self.file is not None

    @property
    def layers(self) -> list[Layer]:
        return [entry.layer for entry in self.entries]

    @property
    def convolutions(self) -> list[Layer]:
        return [layer for layer in self.layers if not layer.is_fc]

    def pick(self, name: str | None) -> list[Entry]:
        """The layer called `name`, or all of them."""
        if name is None:
            return list(self.entries)
        found = [entry for entry in self.entries if entry.layer.name == name]
        if not found:
            raise ValueError(f"--layer must be one of {self.name}'s layers "
                             f"({', '.join(x.name for x in self.layers)}), not {name}")
        return found


_TABLES: dict[str, tuple[str, Callable[[], list[Layer]], bool]] = {
    "alexnet": ("AlexNet, BVLC, 227 × 227, grouped; without LRN", tables.alexnet, True),
    "vgg16": ("VGG-16, 224 × 224", tables.vgg16, True),
    "googlenet": ("GoogLeNet, BVLC, 57 convolutions; without LRN", tables.googlenet, False),
    "resnet50": ("ResNet-50 v1, 224 × 224", tables.resnet50, False),
    "resnet50_v1.5": ("ResNet-50 v1.5, 224 × 224", lambda: tables.resnet50(v1_5=True), False),
    "lenet5": ("LeNet-5, Caffe, 28 × 28", tables.lenet5, True),
}
DIGITS = "digits"
NAMES = (*_TABLES, DIGITS)


def network(name: str) -> Network:
    """The built-in network called `name`, or what was trained on the digits in `name`.onnx."""
    if name not in _TABLES:
        if name == DIGITS:
            return _of_digits(name)
        if name.endswith(".onnx"):
            return _of_digits(name, Path(name))
        raise ValueError(f"--network must be one of {', '.join(NAMES)} or FILE.onnx, not {name}")
    title, build, chain = _TABLES[name]
    table = build()
    entries = tuple(Entry(layer, densities(name, layer.name, first=i == 0))
                    for i, layer in enumerate(table))
    compared = tuple(x.name for x in table if not x.is_fc
                     and (name != "googlenet" or x.name.startswith("inception_")))
    return Network(name, title, entries, chain, compared)


def _of_digits(name: str, file: Path | None = None) -> Network:
    from sparseforge.networks import digits
    table, weights, _ = digits.load(file or digits.SHIPPED)
    entries = tuple(Entry(layer, Densities(np.count_nonzero(w) / w.size, math.nan,
                                           "trained and pruned: counted", True))
                    for layer, w in zip(table, weights, strict=True))
    names = tuple(layer.name for layer in table)
    return Network(name, "scikit-learn's handwritten digits, 8 × 8: trained, pruned, 8 bits",
                   entries, True, names[:-1], file or digits.SHIPPED)


def digits_chain(entries: Iterable[Entry], *, first: int = 0, acc_bits: int = 24,
                 file: Path | None = None) -> Iterator[tuple[Layer, Tensors]]:
    """The digits network (of `file`) on held-out images from number `first` on, as many as the
    batch.

    Each layer's activations are the outputs of the one before; the first one's are the pixels.
    """
    from sparseforge.networks import digits
    pixels, _ = digits.images()
    _, weights, biases = digits.load(file or digits.SHIPPED)
    previous: np.ndarray | None = None
    for entry, weight, bias in zip(entries, weights, biases, strict=True):
        layer = entry.layer
        if previous is None:
            if first + layer.batch > len(pixels):
                raise ValueError(f"--seed (the first image) and --batch must stay within the "
                                 f"{len(pixels)} held-out images, not reach {first + layer.batch}")
            previous = pixels[first:first + layer.batch]
        drawn = Tensors(weight, follow_on(layer, previous.reshape(
            previous.shape[-3:] if layer.batch == 1 else previous.shape)), bias,
            f"trained weights, held-out images from {first} on")
        yield layer, drawn
        previous = layers.reference(layer, weight, drawn.activations, bias, acc_bits).outputs


Blocks = Callable[[Layer], tuple[int, int, int, int]]


def _block(blocks: Blocks | None, layer: Layer) -> tuple[int, int, int, int]:
    return blocks(layer) if blocks else (1, 1, 1, 1)


def synthesise(entries: Iterable[Entry], *, seed: int = 0, data_bits: int = 16, acc_bits: int = 24,
               blocks: Blocks | None = None) -> Iterator[tuple[Layer, Tensors]]:
    """Each layer with synthetic tensors of its densities, independent of its neighbours; weights
    are zero or not in `blocks`."""
    for entry in entries:
        yield entry.layer, tensors.synthetic(
            entry.layer, weight_density=entry.densities.weights,
            activation_density=entry.densities.activations, seed=seed, data_bits=data_bits,
            acc_bits=acc_bits, block=_block(blocks, entry.layer))


CHAIN_BITS = 8      # values of a synthetic chain: their sums stay far inside 24 bits


def synthesise_chain(entries: Iterable[Entry], *, seed: int = 0, data_bits: int = 16,
                     acc_bits: int = 24, blocks: Blocks | None = None
                     ) -> Iterator[tuple[Layer, Tensors]]:
    """Each layer with synthetic weights, its activations being the outputs of the layer before.

    The layers come with their shift set and outputs of at most `CHAIN_BITS`. One bias, the same
    for all channels of a layer, is chosen such that ReLU (and pooling) leave the next layer's
    published density, as nearly as whole numbers allow. A chain must follow on: ValueError if not.
    """
    bits = min(data_bits, CHAIN_BITS)
    order = list(entries)
    previous: np.ndarray | None = None
    for entry, following in zip(order, [*order[1:], None], strict=True):
        layer = replace(entry.layer, out_bits=min(bits, entry.layer.out_bits))
        drawn = tensors.synthetic(layer, weight_density=entry.densities.weights,
                                  activation_density=entry.densities.activations, seed=seed,
                                  data_bits=bits, acc_bits=64, block=_block(blocks, layer))
        if previous is not None:
            drawn = replace(drawn, activations=follow_on(layer, previous))
        target = following.densities.activations if following else None
        layer, drawn, previous = _balance(layer, drawn, target, acc_bits)
        yield layer, drawn


def follow_on(layer: Layer, outputs: np.ndarray) -> np.ndarray:
    """`outputs` of one layer as the activations of the next: flattened ``[C·H·W]`` for FC."""
    if outputs.size == int(np.prod(layer.activations_shape)) and (
            layer.is_fc or outputs.shape == layer.activations_shape):
        return outputs.reshape(layer.activations_shape)
    raise ValueError(f"{layer.name}: activations must be of shape "
                     f"{list(layer.activations_shape)}, but the layer before gives "
                     f"{list(outputs.shape)}")


def _balance(layer: Layer, drawn: Tensors, target: float | None,
             acc_bits: int) -> tuple[Layer, Tensors, np.ndarray]:
    """Sets bias and shift: (layer, tensors, outputs)."""
    sums = layers.sums(replace(layer, bias=False), drawn.weights, drawn.activations)
    common = 0
    if layer.bias and layer.relu and target is not None:
        pooled = layers.pool_plane(sums, layer.pool) if layer.pool else sums
        spread = int(sums.max()) - int(sums.min())
        least = max(1, spread >> (layer.out_bits - 1))      # what rounds to one at the least
        common = least - int(np.quantile(pooled, 1 - target))
    drawn = replace(drawn, bias=np.full(layer.k, common) if layer.bias else None)
    result = layers.reference(layer, drawn.weights, drawn.activations, drawn.bias, acc_bits)
    return result.layer, drawn, result.outputs
