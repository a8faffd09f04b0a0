"""The paper's five benchmarks as TNPU trains them: what they are taken to be."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from golden.layers import Layer, Pool
from golden.tnpu.network import Network, unfold
from sparseforge.networks import network

HALF = Pool(kind="max", k=2, s=2)


def _conv(name: str, c: int, side: int, k: int, r: int, **rest: object) -> Layer:
    fields: dict[str, object] = {"bias": True, "relu": True, **rest}
    return Layer(name=name, c=c, h=side, w=side, k=k, r=r, s=r, **fields)  # type: ignore[arg-type]


def _fcs(*sizes: int) -> list[Layer]:
    last = len(sizes) - 2
    return [Layer.fc(f"fc{n + 1}", a, b, bias=True, relu=n < last)
            for n, (a, b) in enumerate(pairwise(sizes))]


def lenet5() -> Network:
    """LeCun et al. 1998: 32 × 32 input (28 × 28, padded), maps connected in full."""
    return Network((_conv("c1", 1, 28, 6, 5, pad=2, pool=HALF), _conv("c3", 6, 14, 16, 5,
                                                                      pool=HALF),
                    *_fcs(400, 120, 84, 10)))


def mpcnn() -> Network:
    """Nagi et al. 2011, the max-pooling CNN for hand gestures: 32 × 32 input, 20 maps."""
    return Network((_conv("c1", 1, 32, 20, 5, pool=HALF), _conv("c2", 20, 14, 20, 5, pool=HALF),
                    *_fcs(500, 300, 6)))


def alexnet() -> Network:
    return Network(tuple(_plain(layer) for layer in network("alexnet").layers))


def vgg11() -> Network:
    """Simonyan and Zisserman's configuration A."""
    layers, c, side = [], 3, 224
    for n, widths in enumerate([(64,), (128,), (256, 256), (512, 512), (512, 512)], 1):
        for i, k in enumerate(widths, 1):
            pool = HALF if i == len(widths) else None
            layers.append(_conv(f"conv{n}_{i}", c, side, k, 3, pad=1, pool=pool))
            c = k
        side //= 2
    return Network((*layers, *_fcs(25088, 4096, 4096, 1000)))


def vgg16() -> Network:
    return Network(tuple(_plain(layer) for layer in network("vgg16").layers))


def _plain(layer: Layer) -> Layer:
    return replace(layer, shift=None)


NETWORKS = {"LeNet-5": lenet5, "MPCNN": mpcnn, "AlexNet": alexnet, "VGG11": vgg11, "VGG16": vgg16}


def benchmark(name: str) -> Network:
    """The benchmark, its first layer unfolded."""
    return unfold(NETWORKS[name]())


def macs(net: Network) -> tuple[int, int]:
    """Multiplications of FP in convolutions and in FC layers."""
    conv = sum(layer.macs for layer in net.layers[:net.convs])
    return conv, sum(layer.macs for layer in net.layers[net.convs:])
