"""Bench of SystolicArray: whole layers, their sums and cycles golden's, with and without overlap of
their tiles."""
import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden import layers as arithmetic
from golden.dense.systolic import systolic_cycles
from golden.layers import Layer
from hw.dense.systolic import SystolicConfig, operand_layout, sum_layout
from sim.common.bench import bench_config, reset, rng, start


def random_case(random, config):
    """A layer of one image, its weights and activations."""
    r, s, groups = random.randint(1, 3), random.randint(1, 3), random.choice([1, 1, 2])
    layer = Layer(c=groups * random.randint(1, 4), k=groups * random.randint(1, 2 * config.cols),
                  groups=groups, r=r, s=s, h=r + random.randint(0, 3), w=s + random.randint(0, 3),
                  stride=random.randint(1, 2), pad=random.randint(0, 1))
    half = 1 << config.data_bits - 1

    def values(shape):
        count = int(np.prod(shape))
        return np.array([random.choice([0, random.randrange(-half, half), -half])
                         for _ in range(count)]).reshape(shape)
    return layer, values(layer.weights_shape), values(layer.activations_shape)


def tiles(layer, weights, plane, config):
    """Per tile: features [pixels, terms], weights [terms, kernels], sums [pixels, kernels]."""
    top, bottom, left, right = layer.pads
    padded = np.pad(plane, ((0, 0), (top, bottom), (left, right)))
    pixels = [(y * layer.stride, x * layer.stride) for y in range(layer.ho)
              for x in range(layer.wo)]
    depth, each = layer.c // layer.groups, layer.k // layer.groups
    wanted = arithmetic.sums(layer, weights, plane).reshape(layer.k, -1).T
    for part in range(layer.groups):
        mine = padded[part * depth:(part + 1) * depth]
        for some in np.array_split(np.arange(len(pixels)), -(-len(pixels) // config.rows)):
            windows = np.array([mine[:, y:y + layer.r, x:x + layer.s].reshape(-1)
                                for y, x in (pixels[p] for p in some)])
            for kernels in np.array_split(np.arange(each), -(-each // config.cols)):
                kernels = kernels + part * each
                yield windows, weights[kernels].reshape(len(kernels), -1).T, wanted[
                    np.ix_(some, kernels)]


@cocotb.test()
@cocotb.parametrize(overlap=[True, False])
async def layers_are_goldens(dut, overlap):
    config, random = bench_config(SystolicConfig), rng(overlap)
    operand, result = operand_layout(config), sum_layout(config)
    await start(dut)
    dut.enable.value = 1
    for _ in range(4):
        layer, weights, plane = random_case(random, config)
        every = list(tiles(layer, weights, plane, config))
        terms = len(every[0][1])
        alone = terms + config.rows + 2 * config.cols - 1
        period = max(terms, config.cols) if overlap else alone
        await reset(dut)
        rows, cycle = [[] for _ in range(config.rows)], 0
        while any(len(row) < len(every) * config.cols for row in rows):
            for i in range(config.rows):
                tile, term = divmod(cycle - i, period)
                there = 0 <= tile < len(every) and term < terms
                used = there and i < len(every[tile][0])
                getattr(dut, f"f__{i}").value = operand.const({
                    "value": int(every[tile][0][i, term]) if used else 0, "valid": there,
                    "last": there and term == terms - 1}).as_bits()
            for j in range(config.cols):
                tile, term = divmod(cycle - j, period)
                used = 0 <= tile < len(every) and term < terms and j < every[tile][1].shape[1]
                getattr(dut, f"w__{j}").value = (
                    int(every[tile][1][term, j]) if used else 0) % (1 << config.data_bits)
            await RisingEdge(dut.clk)
            for i, row in enumerate(rows):
                got = result.from_bits(int(getattr(dut, f"r__{i}").value))
                if got.valid:
                    row.append(got.value)
            cycle += 1
        assert cycle == systolic_cycles(layer, config.rows, config.cols, overlap=overlap)
        for n, (windows, kernels, sums) in enumerate(every):
            for i in range(len(windows)):
                first = n * config.cols
                assert rows[i][first:first + kernels.shape[1]] == sums[i].tolist()
