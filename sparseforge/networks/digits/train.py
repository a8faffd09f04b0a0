"""Train, prune and quantise the digits network; write ``digits.onnx`` and the images of both sets.

    pip install torch==2.13.0 scikit-learn onnx
    python -m sparseforge.networks.digits.train [--out FOLDER]

The network: conv 1→16 3×3 pad 1, ReLU, max pooling 2×2; conv 16→32 the same; FC 128→10. It is
trained on two thirds of scikit-learn's 1,797 handwritten digits (8×8 pixels of 0…16); the rest is
held out and used for nothing but the figures printed. Nothing is chosen by those figures.

Pruning is gradual by magnitude, per layer (Zhu and Gupta, "To prune, or not to prune", 2017: the
cubic schedule), retraining all along; quantisation is symmetric with one power of two per tensor.
The seed is fixed and one thread is used, so the same PyTorch on the same machine gives the same
files; another processor may round a sum otherwise.
"""

import argparse
import copy
import io
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from sparseforge.networks.digits.export import build, write
from sparseforge.networks.digits.quantise import IMAGE_FRAC, quantise

SEED = 20170624
DENSITY = {"conv1": 0.35, "conv2": 0.25, "fc": 0.30}    # weights kept
DENSE_EPOCHS, PRUNE_EPOCHS, SETTLE_EPOCHS, BATCH = 60, 60, 40, 32


class Digits(nn.Module):
    """[N,1,8,8] in 0…1 → logits [N,10]."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc = nn.Linear(128, 10)

    def stages(self, x):
        """The result of each layer before activation, in order."""
        first = self.conv1(x)
        second = self.conv2(nn.functional.max_pool2d(first.relu(), 2))
        return first, second, self.fc(nn.functional.max_pool2d(second.relu(), 2).flatten(1))

    def forward(self, x):
        return self.stages(x)[-1]

    def layers(self):
        return {"conv1": self.conv1, "conv2": self.conv2, "fc": self.fc}


def split():
    """(train images, labels, held-out images, labels); images uint8 [N,8,8], 0…16."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    train, test, train_labels, test_labels = train_test_split(
        images, labels, test_size=1 / 3, random_state=SEED % 2**32, stratify=labels)
    return train, train_labels, test, test_labels


def tensor(images):
    return torch.from_numpy(images.astype(np.float32) / 2**IMAGE_FRAC)[:, None]


def shifted(x, generator):
    """A batch, each image moved by at most one pixel in each direction: augmentation."""
    moves = torch.randint(-1, 2, (len(x), 2), generator=generator)
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    return torch.stack([padded[n, :, 1 + dy:9 + dy, 1 + dx:9 + dx]
                        for n, (dy, dx) in enumerate(moves.tolist())])


def kept(epoch):
    """Share of the way from dense to pruned after ``epoch`` pruning epochs: cubic."""
    return 1 - (1 - min(1.0, epoch / PRUNE_EPOCHS)) ** 3


def masks(net, progress):
    """A 0/1 mask per layer: the largest weights, down to DENSITY as ``progress`` goes to 1."""
    result = {}
    for name, layer in net.layers().items():
        weights = layer.weight.detach()
        count = int(weights.numel() * (1 - (1 - DENSITY[name]) * progress))
        threshold = weights.abs().flatten().topk(count).values[-1]
        result[name] = (weights.abs() >= threshold).float()
    return result


def apply(net, mask):
    with torch.no_grad():
        for name, layer in net.layers().items():
            layer.weight.mul_(mask[name])


def epochs(net, images, labels, generator, count, rate, progress):
    """Train for ``count`` epochs; ``progress(epoch)`` is how far the pruning is, 0…1."""
    optimiser = torch.optim.Adam(net.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, count, rate / 20)
    for epoch in range(count):
        mask = masks(net, progress(epoch))
        apply(net, mask)
        for batch in torch.randperm(len(images), generator=generator).split(BATCH):
            optimiser.zero_grad()
            logits = net(shifted(images[batch], generator))
            nn.functional.cross_entropy(logits, labels[batch]).backward()
            optimiser.step()
            apply(net, mask)
        schedule.step()


def accuracy(net, images, labels):
    with torch.no_grad():
        return float((net(images).argmax(1) == labels).float().mean())


def integers(net, images):
    """The layers in integers; output ranges come from ``images`` (the training set)."""
    with torch.no_grad():
        # Half the range is kept free in the logits, which nothing saw.
        ranges = [float(2 * stage.abs().max() if name == "fc" else stage.max())
                  for name, stage in zip(net.layers(), net.stages(images), strict=True)]
    return quantise((name, layer.weight.detach().numpy(), layer.bias.detach().numpy(), largest)
                    for (name, layer), largest in zip(net.layers().items(), ranges, strict=True))


def quantised_logits(layers, images):
    """The integer network in float64 (exact): images uint8 [N,8,8] → logits int [N,10]."""
    value = torch.from_numpy(images.astype(np.float64))[:, None]
    for layer in layers:
        weights, bias = (torch.from_numpy(t.astype(np.float64)) for t in
                         (layer.weights, layer.bias))
        if weights.ndim == 4:
            acc = nn.functional.conv2d(value, weights, bias, padding=1)
        else:
            acc = nn.functional.linear(value.flatten(1), weights, bias)
        limit = 2 ** (layer.out_bits - 1)
        value = torch.round(acc / 2.0**layer.shift).clamp(-limit, limit - 1)    # half to even
        if weights.ndim == 4:
            value = nn.functional.max_pool2d(value.relu(), 2)
    return value.numpy().astype(np.int64)


def main():
    """Train, print the three accuracies and the densities, write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().out
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(SEED)
    train, train_labels, test, test_labels = split()
    x, y = tensor(train), torch.from_numpy(train_labels).long()
    held, held_labels = tensor(test), torch.from_numpy(test_labels).long()

    net = Digits()
    epochs(net, x, y, generator, DENSE_EPOCHS, 2e-3, lambda epoch: 0.0)
    rival = copy.deepcopy(net)      # the dense network, trained as long as the pruned one
    for one, progress in ((rival, lambda epoch: 0.0), (net, kept)):
        generator.manual_seed(SEED)
        epochs(one, x, y, generator, PRUNE_EPOCHS + SETTLE_EPOCHS, 2e-3, progress)
    dense = accuracy(rival, held, held_labels)
    print(f"dense      {dense:.4f} of {len(test)} held-out digits")
    pruned = accuracy(net, held, held_labels)
    print(f"pruned     {pruned:.4f}")
    layers = integers(net, x)
    quantised = float((quantised_logits(layers, test).argmax(1) == test_labels).mean())
    print(f"quantised  {quantised:.4f}")
    for layer in layers:
        print(f"{layer.name:6} density {np.count_nonzero(layer.weights) / layer.weights.size:.3f}"
              f" of {layer.weights.size}, shift {layer.shift}, {layer.out_bits} bits out")
    ones = sum(np.count_nonzero(layer.weights) for layer in layers)
    size = sum(layer.weights.size for layer in layers)
    print(f"all    density {ones / size:.3f} of {size}")

    metadata = {"dense_accuracy": f"{dense:.6f}", "pruned_accuracy": f"{pruned:.6f}",
                "quantised_accuracy": f"{quantised:.6f}", "held_out": str(len(test)),
                "seed": str(SEED)}
    write(folder / "digits.onnx", build(layers[:2], layers[2], metadata).SerializeToString())
    for name, images, its_labels in (("train", train, train_labels), ("test", test, test_labels)):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=images, labels=its_labels)
        write(folder / f"digits_{name}.npz", buffer.getvalue())


if __name__ == "__main__":
    main()
