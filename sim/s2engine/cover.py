"""S² Engine's cover points: what its tests must have seen happen (see `sim.common.cover`)."""

from collections.abc import Callable

from golden.s2engine.image import Program
from sim.common.cover import Point, bus_points, some_pass

POINTS = (
    Point("W-FIFO full", "PE_ds_w_fifo", "i__valid & ~i__ready"),
    Point("F-FIFO full", "PE_ds_f_fifo", "i__valid & ~i__ready"),
    Point("WF-FIFO full", "PE_ds_wf_fifo", "i__valid & ~i__ready"),
    Point("a sum waits for RF", "PE_mac", "stuck & enable"),
    Point("an RF waits for the one behind it", "PE_rf_fifo", "i__valid & ~i__ready"),
    # `keep` is the command's third bit; `i__ready` the holding FIFO's.
    Point("a CE waits for room to hold a group", "CE",
          "command__valid & command__payload[2] & ~i__ready"),
    Point("a line waits for its bank", "Bank", "i__valid & ~i__ready"),
    Point("an edge holds its row", "Edge", "i__valid & ~i__ready"),
    Point("runs wait for their lines", "s2engine_engine_loader_runs", "~i__ready"),
    Point("the store waits for its lines to be taken", "s2engine_engine_store",
          "line__valid & ~line__ready"),
    Point("an average is divided", "AverageDivider", "start & ~ready"),
    *bus_points("s2engine"),
)


def _field(name: str, value: int) -> Callable[[Program], bool]:
    return some_pass(lambda one: one.descriptor.get(name, 0) == value)


FACTS: dict[str, Callable[[Program], bool]] = {
    "features of 16 bits": _field("slots", 2),
    "outputs of 16 bits": _field("store_slots", 2),
    "maximum pooling": _field("pool", 1),
    "average pooling": _field("pool", 2),
    "weights are read again": some_pass(lambda one: one.descriptor["w_replays"] > 1),
    "features are read again": some_pass(lambda one: one.descriptor["f_replays"] > 1),
    "weights as a stream": _field("w_stream", 1),
    "features sent again": some_pass(lambda one: one.descriptor["f_loads"] > 1),
    "several kernel tiles": some_pass(lambda one: one.descriptor["kernel_tiles"] > 1),
    "a row without a pixel": some_pass(
        lambda one: one.descriptor["tile_pixels"] < one.plan.config.rows),
    "a column without a kernel": some_pass(
        lambda one: one.descriptor["tile_kernels"] < one.plan.config.cols),
    "a partial group of channels": some_pass(
        lambda one: one.plan.stage.weights.shape[1] % one.plan.config.group != 0),
    "several groups of channels": some_pass(lambda one: one.descriptor["channel_groups"] > 1),
    "a stored group of two kernel tiles": some_pass(
        lambda one: one.descriptor["kernel_tiles"] > 1
        and one.descriptor["tile_kernels"] % one.plan.config.group != 0),
    "stride": some_pass(lambda one: one.descriptor["stride"] > 1),
    "stride beyond the kernel": some_pass(
        lambda one: one.descriptor["stride"] > one.descriptor["kernel_cols"]),
    "convolution groups": some_pass(lambda one: one.layer.groups > 1),
    "several blocks of kernels": lambda program: any(
        one.plan.last < one.layer.k // one.layer.groups for one in program.passes),
    "a batch of images": some_pass(lambda one: one.plan.image > 0),
    "a batch as a line of pixels": some_pass(lambda one: one.layer.is_fc and one.layer.batch > 1),
    "a chain": lambda program: len({one.index for one in program.passes}) > 1,
    "without CE": _field("ce", 0),
}
