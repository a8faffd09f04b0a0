"""The built-in networks' layers, as tables: shapes, strides, padding, groups, pooling.

Batch normalisation is folded into weights and bias, as for any inference. Pooling belongs to the
layer whose output it reads; where several layers feed one pooling window (the branches of an
inception module), each carries it: maxima and averages are per channel.
"""

from golden.layers import Layer, Pool

CAFFE_3_2 = Pool(kind="max", k=3, s=2, ceil_mode=True)
MAX_2_2 = Pool(kind="max", k=2, s=2)


def _conv(name: str, c: int, h: int, k: int, r: int, **rest) -> Layer:
    """A layer on a square plane with a square kernel, bias and ReLU."""
    return Layer(name=name, c=c, h=h, w=h, k=k, r=r, s=r, **{"bias": True, "relu": True, **rest})


def _fc(name: str, inputs: int, outputs: int, relu: bool = True) -> Layer:
    return Layer.fc(name, inputs, outputs, bias=True, relu=relu)


def alexnet() -> list[Layer]:
    """BVLC's (Caffe), 227 × 227 input, two groups in conv2, 4, 5. Its LRN is left out."""
    return [
        #      name     c    h    k    r
        _conv("conv1", 3, 227, 96, 11, stride=4, pool=CAFFE_3_2),
        _conv("conv2", 96, 27, 256, 5, pad=2, groups=2, pool=CAFFE_3_2),
        _conv("conv3", 256, 13, 384, 3, pad=1),
        _conv("conv4", 384, 13, 384, 3, pad=1, groups=2),
        _conv("conv5", 384, 13, 256, 3, pad=1, groups=2, pool=CAFFE_3_2),
        _fc("fc6", 256 * 6 * 6, 4096),
        _fc("fc7", 4096, 4096),
        _fc("fc8", 4096, 1000, relu=False),
    ]


def vgg16() -> list[Layer]:
    """Simonyan and Zisserman's configuration D, 224 × 224 input."""
    layers, c, side = [], 3, 224
    for block, (convs, k) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for i in range(1, convs + 1):
            pool = MAX_2_2 if i == convs else None
            layers.append(_conv(f"conv{block}_{i}", c, side, k, 3, pad=1, pool=pool))
            c = k
        side //= 2
    return [*layers, _fc("fc6", 512 * 7 * 7, 4096), _fc("fc7", 4096, 4096),
            _fc("fc8", 4096, 1000, relu=False)]


INCEPTIONS = [
    # name, side,  in, 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool proj, pooling that follows
    ("3a", 28, 192, 64, 96, 128, 16, 32, 32, None),
    ("3b", 28, 256, 128, 128, 192, 32, 96, 64, CAFFE_3_2),
    ("4a", 14, 480, 192, 96, 208, 16, 48, 64, None),
    ("4b", 14, 512, 160, 112, 224, 24, 64, 64, None),
    ("4c", 14, 512, 128, 128, 256, 24, 64, 64, None),
    ("4d", 14, 512, 112, 144, 288, 32, 64, 64, None),
    ("4e", 14, 528, 256, 160, 320, 32, 128, 128, CAFFE_3_2),
    ("5a", 7, 832, 256, 160, 320, 32, 128, 128, None),
    ("5b", 7, 832, 384, 192, 384, 48, 128, 128, None),
]


def googlenet() -> list[Layer]:
    """BVLC's GoogLeNet: its 57 convolutions. LRN and the classifiers, with the average over the
    plane that the last one begins with, are left out.

    The 3 × 3 max pooling in front of each pool_proj is no layer's own: its input is taken as
    given.
    """
    layers = [
        _conv("conv1/7x7_s2", 3, 224, 64, 7, stride=2, pad=3, pool=CAFFE_3_2),
        _conv("conv2/3x3_reduce", 64, 56, 64, 1),
        _conv("conv2/3x3", 64, 56, 192, 3, pad=1, pool=CAFFE_3_2),
    ]
    for name, side, c, k1, r3, k3, r5, k5, proj, pool in INCEPTIONS:
        module = f"inception_{name}"
        layers += [
            _conv(f"{module}/1x1", c, side, k1, 1, pool=pool),
            _conv(f"{module}/3x3_reduce", c, side, r3, 1),
            _conv(f"{module}/3x3", r3, side, k3, 3, pad=1, pool=pool),
            _conv(f"{module}/5x5_reduce", c, side, r5, 1),
            _conv(f"{module}/5x5", r5, side, k5, 5, pad=2, pool=pool),
            _conv(f"{module}/pool_proj", c, side, proj, 1, pool=pool),
        ]
    return layers


def resnet50(v1_5: bool = False) -> list[Layer]:
    """He et al.'s ResNet-50. v1 halves the plane in a block's first 1 × 1, v1.5 in its 3 × 3.

    A block's last convolution and its projection have no ReLU: it follows their sum. v1 pools as
    Caffe does, v1.5 as torchvision. The average before the classifier follows a sum: its input is
    taken as given.
    """
    first = Pool(kind="max", k=3, s=2, pad=1) if v1_5 else CAFFE_3_2
    layers = [_conv("conv1", 3, 224, 64, 7, stride=2, pad=3, pool=first)]
    c, side = 64, 56
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)], 2):
        for block in range(blocks):
            stride = 2 if stage > 2 and block == 0 else 1
            name = f"res{stage}{chr(ord('a') + block)}"
            inner = side if v1_5 else side // stride
            ours, theirs = (1, stride) if v1_5 else (stride, 1)
            if block == 0:
                layers.append(_conv(f"{name}/branch1", c, side, 4 * width, 1, stride=stride,
                                    relu=False))
            layers.append(_conv(f"{name}/branch2a", c, side, width, 1, stride=ours))
            layers.append(_conv(f"{name}/branch2b", width, inner, width, 3, pad=1, stride=theirs))
            side //= stride
            layers.append(_conv(f"{name}/branch2c", width, side, 4 * width, 1, relu=False))
            c = 4 * width
    return [*layers, _fc("fc1000", 2048, 1000, relu=False)]


def lenet5() -> list[Layer]:
    """LeNet-5 as Caffe ships it and Han et al. pruned it: 28 × 28 input, max pooling."""
    return [
        _conv("conv1", 1, 28, 20, 5, relu=False, pool=MAX_2_2),
        _conv("conv2", 20, 12, 50, 5, relu=False, pool=MAX_2_2),
        _fc("fc1", 50 * 4 * 4, 500),
        _fc("fc2", 500, 10, relu=False),
    ]
