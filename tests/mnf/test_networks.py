"""The mappings of AlexNet and VGG16 at the paper's size: the table of hw/mnf/README.md."""
from math import ceil

import pytest

from golden.mnf.ledger import MULTIPLIERS
from golden.mnf.mapping import search
from golden.tensors import synthetic
from hw.mnf.config import PRESETS
from sparseforge.networks.network import network

# map, interior %, channels %, passes, cycles, bound / cycles %, weight load, drained
TABLE = {
    ("alexnet", "conv1"): ("1×3×9", 92, 97, 4, 434478, 82, 3168, 29700),
    ("alexnet", "conv2"): ("5×5×1", 93, 97, 4, 739032, 90, 24576, 19800),
    ("alexnet", "conv3"): ("1×3×9", 100, 97, 13, 255956, 102, 66048, 7020),
    ("alexnet", "conv4"): ("1×3×9", 100, 97, 26, 136644, 102, 50688, 7020),
    ("alexnet", "conv5"): ("3×3×3", 100, 97, 2, 103832, 97, 33024, 4752),
    ("alexnet", "fc6"): ("1×1×27", 100, 99, 7, 43862, 99, 2801664, 378),
    ("alexnet", "fc7"): ("1×1×27", 100, 99, 3, 20650, 98, 1245184, 378),
    ("alexnet", "fc8"): ("1×1×27", 100, 84, 1, 6552, 84, 311296, 108),
    ("vgg16", "conv1_1"): ("3×3×3", 100, 97, 45, 554400, 53, 132, 338580),
    ("vgg16", "conv1_2"): ("3×3×3", 100, 97, 20, 3469668, 90, 2816, 328320),
    ("vgg16", "conv2_1"): ("3×3×3", 100, 97, 20, 3062132, 91, 5504, 157680),
    ("vgg16", "conv2_2"): ("3×3×3", 100, 97, 12, 5254632, 94, 11008, 156168),
    ("vgg16", "conv3_1"): ("3×3×3", 100, 97, 8, 2601120, 97, 22016, 76680),
    ("vgg16", "conv3_2"): ("3×3×3", 100, 97, 8, 4046192, 97, 44032, 76680),
    ("vgg16", "conv3_3"): ("3×3×3", 100, 97, 8, 4431544, 97, 44032, 76680),
    ("vgg16", "conv4_1"): ("3×3×3", 100, 97, 6, 2280000, 97, 87552, 40608),
    ("vgg16", "conv4_2"): ("3×3×3", 100, 97, 6, 3211264, 97, 175104, 40608),
    ("vgg16", "conv4_3"): ("3×3×3", 100, 97, 6, 2890144, 97, 175104, 40608),
    ("vgg16", "conv5_1"): ("3×3×3", 100, 97, 2, 626192, 97, 175104, 10368),
    ("vgg16", "conv5_2"): ("3×3×3", 100, 97, 2, 529856, 97, 175104, 10368),
    ("vgg16", "conv5_3"): ("3×3×3", 100, 97, 2, 513808, 97, 175104, 10368),
    ("vgg16", "fc6"): ("1×1×27", 100, 99, 14, 66738, 99, 7626752, 378),
    ("vgg16", "fc7"): ("1×1×27", 100, 99, 3, 21784, 99, 1245184, 378),
    ("vgg16", "fc8"): ("1×1×27", 100, 84, 1, 6880, 84, 311296, 108),
}


@pytest.mark.regress
@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_every_layer(name):
    """Synthetic activations of the published densities, seed 0."""
    for entry in network(name).entries:
        layer, density = entry.layer, entry.densities.activations
        tensors = synthetic(layer, activation_density=density, data_bits=8, acc_bits=32)
        found = search(layer, tensors.activations, PRESETS["paper"])
        mapping, lanes = found.mapping, found.mapping.lanes
        bound = ceil(layer.macs * density / MULTIPLIERS)
        row = (f"{lanes.pr}×{lanes.pc}×{lanes.kl}", round(100 * mapping.interior),
               round(100 * mapping.remainder), mapping.passes, found.compute,
               round(100 * bound / found.compute), found.load, found.drain)
        assert row == TABLE[name, layer.name], layer.name
        assert mapping.interior >= 0.9
