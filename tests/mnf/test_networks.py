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
    ("alexnet", "conv1"): ("1×3×9", 92, 97, 2, 412005, 86, 2673, 27756),
    ("alexnet", "conv2"): ("1×1×27", 100, 95, 3, 703268, 94, 20250, 21870),
    ("alexnet", "conv3"): ("1×3×9", 100, 97, 1, 255956, 102, 55728, 6156),
    ("alexnet", "conv4"): ("3×1×9", 100, 97, 2, 136462, 102, 42768, 6156),
    ("alexnet", "conv5"): ("3×3×3", 100, 97, 2, 103832, 97, 27864, 4752),
    ("alexnet", "fc6"): ("1×1×27", 100, 99, 7, 43862, 99, 2363904, 378),
    ("alexnet", "fc7"): ("1×1×27", 100, 99, 3, 20650, 98, 1050624, 378),
    ("alexnet", "fc8"): ("1×1×27", 100, 84, 1, 6552, 84, 262656, 108),
    ("vgg16", "conv1_1"): ("3×3×3", 100, 97, 18, 322560, 91, 112, 308124),
    ("vgg16", "conv1_2"): ("3×3×3", 100, 97, 20, 3469668, 90, 2376, 328320),
    ("vgg16", "conv2_1"): ("3×3×3", 100, 97, 12, 2960152, 94, 4644, 156168),
    ("vgg16", "conv2_2"): ("3×3×3", 100, 97, 12, 5254632, 94, 9288, 156168),
    ("vgg16", "conv3_1"): ("3×3×3", 100, 97, 8, 2601120, 97, 18576, 76680),
    ("vgg16", "conv3_2"): ("3×3×3", 100, 97, 8, 4046192, 97, 37152, 76680),
    ("vgg16", "conv3_3"): ("3×3×3", 100, 97, 8, 4431544, 97, 37152, 76680),
    ("vgg16", "conv4_1"): ("3×3×3", 100, 97, 3, 2280000, 97, 73872, 40608),
    ("vgg16", "conv4_2"): ("3×3×3", 100, 97, 3, 3211264, 97, 147744, 40608),
    ("vgg16", "conv4_3"): ("3×3×3", 100, 97, 3, 2890144, 97, 147744, 40608),
    ("vgg16", "conv5_1"): ("3×3×3", 100, 97, 1, 626192, 97, 147744, 10368),
    ("vgg16", "conv5_2"): ("3×3×3", 100, 97, 1, 529856, 97, 147744, 10368),
    ("vgg16", "conv5_3"): ("3×3×3", 100, 97, 1, 513808, 97, 147744, 10368),
    ("vgg16", "fc6"): ("1×1×27", 100, 99, 14, 66738, 99, 6435072, 378),
    ("vgg16", "fc7"): ("1×1×27", 100, 99, 3, 21784, 99, 1050624, 378),
    ("vgg16", "fc8"): ("1×1×27", 100, 84, 1, 6880, 84, 262656, 108),
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
