"""Networks of the paper's sweeps that are no built-in ones: some layers, how often each comes."""

from golden.layers import Layer, Pool
from sparseforge.networks.tables import lenet5

MAX_3_2 = Pool(kind="max", k=3, s=2, ceil_mode=True)
AVG_3_2 = Pool(kind="avg", k=3, s=2)


def _conv(name: str, c: int, side: int, k: int, r: int, **rest) -> Layer:
    return Layer(name=name, c=c, h=side, w=side, k=k, r=r, s=r, pad=r // 2, relu=True, **rest)


def cifar10_quick() -> list[Layer]:
    """Caffe's Cifar-10 quick, 32 x 32; its average windows cover whole cells alone."""
    return [_conv("conv1", 3, 32, 32, 5, pool=MAX_3_2), _conv("conv2", 32, 16, 32, 5, pool=AVG_3_2),
            _conv("conv3", 32, 7, 64, 5, pool=AVG_3_2), Layer.fc("ip1", 64 * 3 * 3, 64),
            Layer.fc("ip2", 64, 10)]


def _bottleneck(stage: int, width: int, side: int, blocks: int) -> list[tuple[Layer, int]]:
    """The three convolutions of a block that changes no shape."""
    return [(_conv(f"res{stage}a", 4 * width, side, width, 1), blocks),
            (_conv(f"res{stage}b", width, side, width, 3), blocks),
            (_conv(f"res{stage}c", width, side, 4 * width, 1), blocks)]


RESNET152 = [*_bottleneck(3, 128, 28, 8), *_bottleneck(4, 256, 14, 36), *_bottleneck(5, 512, 7, 3),
             (Layer.fc("fc1000", 2048, 1000), 1)]
LSTM = [(Layer.fc("gates", 512 + 512, 4 * 512), 1)]     # 512 inputs and cells, one step

SHAPES: dict[str, list[tuple[Layer, int]]] = {
    "LeNet-5": [(layer, 1) for layer in lenet5()],
    "Cifar-10 quick": [(layer, 1) for layer in cifar10_quick()],
    "ResNet-152, stages 3 to 5": RESNET152,
    "LSTM": LSTM,
}
