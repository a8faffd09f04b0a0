"""The handwritten digits as TNPU trains them: the network, batches, accuracy, whole epochs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from golden.layers import Layer, Pool
from golden.tnpu import train
from golden.tnpu.network import Loss, Network, Parameters, initial
from sparseforge.networks.digits.reader import images, training_images

CLASSES = 10
WHITE = np.float32(16)      # pixels are 0 to 16


MAPS = (16, 32)         # of ``digits.onnx``
LENET = (6, 16)         # LeNet-5's


def network(loss: Loss = "mse", maps: tuple[int, int] = MAPS) -> Network:
    """LeNet-5-like, in the form of ``digits.onnx``: two convolutions with max pooling, an FC."""
    half, (first, second) = Pool(kind="max", k=2, s=2), maps
    return Network((
        Layer(name="conv1", c=1, h=8, w=8, k=first, r=3, s=3, pad=1, bias=True, relu=True,
              pool=half),
        Layer(name="conv2", c=first, h=4, w=4, k=second, r=3, s=3, pad=1, bias=True, relu=True,
              pool=half),
        Layer.fc("fc", 4 * second, CLASSES, bias=True)), loss)


@dataclass(frozen=True)
class Data:
    """Images float32 [N, 1, 8, 8] of 0 to 1, and labels [N]."""

    images: np.ndarray
    labels: np.ndarray

    def targets(self) -> np.ndarray:
        """One-hot, float32 [N, 10]."""
        return np.eye(CLASSES, dtype=np.float32)[self.labels]

    def batch(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.images[index], self.targets()[index]


def load() -> tuple[Data, Data]:
    """What is trained on, and what is held out."""
    train_set, held_out = training_images(), images()
    return tuple(Data(x.astype(np.float32) / WHITE, y)  # type: ignore[return-value]
                 for x, y in (train_set, held_out))


def batches(data: Data, batch: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray,
                                                                            np.ndarray]]:
    """The batches of an epoch, shuffled; a last one that is not full is left out."""
    order = np.random.default_rng([seed, epoch]).permutation(len(data.labels))
    for at in range(0, len(order) - batch + 1, batch):
        yield data.batch(order[at:at + batch])


def accuracy(net: Network, parameters: Parameters, data: Data) -> float:
    """Share of the images that are classified right."""
    right = sum(int(train.forward(net, parameters, x).output.argmax()) == label
                for x, label in zip(data.images, data.labels, strict=True))
    return right / len(data.labels)


@dataclass(frozen=True)
class Epoch:
    """What came of an epoch: the mean loss while training, accuracy over the held-out images."""

    number: int
    loss: float
    accuracy: float


def epochs(net: Network, parameters: Parameters, count: int, *, batch: int, rate: float,
           momentum: float, seed: int) -> Iterator[Epoch]:
    """Trains `parameters`, epoch by epoch; the rate falls to a tenth for the last quarter."""
    training, held_out = load()
    for number in range(1, count + 1):
        losses = []
        now = rate if number <= count - count // 4 else rate / 10
        for inputs, targets in batches(training, batch, seed, number):
            done = train.step(net, parameters, inputs, targets, rate=now, momentum=momentum)
            losses.append(train.loss(net, done, targets))
        yield Epoch(number, float(np.mean(losses)), accuracy(net, parameters, held_out))


def start(net: Network, seed: int) -> Parameters:
    """Parameters to begin with."""
    return initial(net, seed)
