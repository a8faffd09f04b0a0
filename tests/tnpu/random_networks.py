"""Random networks, batches and configurations of TNPU."""

from dataclasses import replace

import numpy as np

from golden.layers import Layer, Pool
from golden.tnpu.network import Network, initial
from golden.tnpu.schedule import SCHEDULES
from hw.tnpu.config import BLOCK, TNPUConfig
from tests.tnpu.design import Task

WORK = 24           # of a random network: up to some 1e5 cycles on the smallest machine


def random_config(rnd):
    """A tiny machine: latencies, buffers, tokens' queues and bandwidth of every kind."""
    lanes = rnd.choice([2, 2, 4])
    return TNPUConfig(
        lanes=lanes, slots=rnd.choice([3, 5, 11]), mul_latency=rnd.randint(1, 4),
        add_latency=rnd.randint(1, 4), x_words_c=lanes * rnd.choice([150, 500]),
        w_words_c=lanes * rnd.choice([600, 2000]), s_words_c=lanes * rnd.choice([60, 300]),
        x_words_f=lanes * rnd.choice([2, 9, 40]), w_words_f=lanes * rnd.choice([4, 20, 90]),
        s_words_f=lanes * rnd.choice([4, 20, 300]), semaphores=24,
        queue_depth=rnd.choice([2, 3, 8]), rate_beats=rnd.choice([3, 5]),
        rate_cycles=rnd.choice([5, 11]), share_c=rnd.choice([1, 100, 200]),
        rows_c=rnd.choice([0, 0, 1, 2]), rows_f=rnd.choice([1, 1, 2]))


def random_conv(rnd, name, plane):
    """Kernels of up to 11 rows, R ≠ S, strides, uneven padding, groups of 16, pooling."""
    c, h, w = plane or (rnd.choice([1, 2, 3, 17]), rnd.randint(3, 11), rnd.randint(3, 9))
    pad = tuple(rnd.randint(0, 2) for _ in range(4)) if rnd.random() < 0.6 else (0, 0, 0, 0)
    high, wide = h + pad[0] + pad[1], w + pad[2] + pad[3]
    grouped = plane is None and rnd.random() < 0.1
    if grouped:
        c = 32
    layer = Layer(name=name, c=c, h=h, w=w, pad=pad, k=32 if grouped else rnd.choice([1, 3, 5, 18]),
                  groups=2 if grouped else 1, r=rnd.randint(1, min(high, rnd.choice([3, 11]))),
                  s=rnd.randint(1, min(wide, 3)), stride=rnd.choice([1, 1, 2, 3]),
                  bias=rnd.random() < 0.7, relu=rnd.random() < 0.6)
    if rnd.random() < 0.4:
        k = rnd.randint(1, min(layer.ho, layer.wo, 3))
        layer = replace(layer, pool=Pool(kind=rnd.choice(["max", "avg"]), k=k, s=rnd.randint(1, 3)))
    return layer


def random_task(rnd, work=WORK):
    """Up to two convolutions and two FC layers, in any schedule."""
    while True:
        try:
            task = _task(rnd)
        except ValueError:          # a plane came out 1 × 1, which is an FC layer's
            continue
        if sum(map(_work, task.network.layers)) <= work:
            return task


def _work(layer):
    """Tiles of 16 × 16 channels, taps and positions."""
    tiles = -(-layer.c // layer.groups // BLOCK) * -(-layer.k // BLOCK)
    return tiles * layer.r * layer.s * (1 + layer.ho * layer.wo // BLOCK)


def _task(rnd):
    layers, plane = [], None
    kinds = rnd.choice(["c", "f", "cf", "cff", "ccf"])
    for n, kind in enumerate(kinds):
        if kind == "c":
            layers.append(random_conv(rnd, f"l{n}", plane))
        else:
            inputs = int(np.prod(plane)) if plane else rnd.randint(1, 40)
            layers.append(Layer.fc(f"l{n}", inputs, rnd.choice([1, 4, 17]), bias=rnd.random() < 0.7,
                                   relu=rnd.random() < 0.5))
        plane = layers[-1].k, layers[-1].out_h, layers[-1].out_w
    return Task(Network(tuple(layers)), schedule=rnd.choice(SCHEDULES),
                look_ahead=rnd.randint(1, 3), fc_gradients=rnd.choice(["memory", "batch", "chip"]))


def random_values(rng, shape):
    """float32 of many sizes, zeros and subnormals among them."""
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-2, 3, shape)
    values = np.where(rng.random(shape) < 0.1, 0, values)
    return np.where(rng.random(shape) < 0.02, 1e-41, values).astype(np.float32)


def random_batch(rng, task):
    """Parameters, inputs, targets of one to three instances."""
    network, batch = task.network, int(rng.integers(1, 4))
    first, last = network.layers[0], network.layers[-1]
    parameters = initial(network, int(rng.integers(1 << 30)))
    for value in parameters.weight_velocities:
        value[:] = random_values(rng, value.shape)
    for layer, *values in zip(network.layers, parameters.biases, parameters.bias_velocities,
                              strict=True):
        for value in values:
            value[:] = random_values(rng, value.shape) if layer.bias else 0
    return (parameters, random_values(rng, (batch, first.c, first.h, first.w)),
            random_values(rng, (batch, last.k, last.out_h, last.out_w)))
