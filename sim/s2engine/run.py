"""Layers on the core in RTL: pass after pass, their sums put together, cycles and causes added.

Bias, requantisation, ReLU and pooling come after the core; they are golden's, applied to the sums
that the RTL gave.
"""
import time
from dataclasses import dataclass

import numpy as np

from golden.layers import finish, wrap
from golden.s2engine.array import CAUSES
from sim.s2engine.passes import build_core, run_pass


@dataclass(frozen=True)
class WorkRun:
    """Cycles and causes of all passes; per layer its outputs; seconds in the simulator."""

    cycles: int
    causes: dict
    reads: int
    outputs: list
    wall_s: float


def run_work(work, simulator, built=None):
    """Runs a `golden.s2engine.compile.Work`."""
    built = built or build_core(work.config, simulator)
    began, runs = time.monotonic(), [run_pass(built, plan) for plan in work.passes]
    outputs = [_outputs(stage, [(plan, run) for plan, run in zip(work.passes, runs, strict=True)
                                if plan.stage is stage], work.config) for stage in work.stages]
    return WorkRun(
        cycles=sum(run.cycles for run in runs),
        causes={name: sum(run.causes[n] for run in runs) for n, name in enumerate(CAUSES)},
        reads=sum(run.reads for run in runs), outputs=outputs,
        wall_s=time.monotonic() - began)


def _outputs(stage, runs, config):
    """The layer's outputs as its user sees them."""
    shape, layer = stage.shape, stage.layer
    total = np.zeros((len(stage.inputs), shape.k, shape.ho * shape.wo), np.int64)
    for plan, run in runs:
        at = 0
        for pixel, pixels in plan.pixel_tiles:
            for kernel, kernels in plan.kernel_tiles:
                first = plan.first + kernel
                total[plan.image, first:first + kernels, pixel:pixel + pixels] = run.sums[
                    :pixels, at:at + kernels].T
                at += config.cols
    total = wrap(total + stage.bias[None, :, None], config.acc_bits)
    images = [finish(shape, one.reshape(shape.k, shape.ho, shape.wo)) for one in total]
    if shape.w != layer.w and layer.batch > 1:      # a batch that was a line of pixels
        images = [image.reshape(layer.outputs_shape) for image in images[0].reshape(layer.k, -1).T]
    return images[0] if len(images) == 1 else np.stack(images)

