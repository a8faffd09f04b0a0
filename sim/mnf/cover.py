"""MNF's cover points: what its tests must have seen happen (see `sim.common.cover`)."""

from collections.abc import Callable

from golden.mnf.program import Pass, Program
from sim.common.cover import Point, bus_points, some_pass

POINTS = (
    Point("PE: events wait for a full FIFO", "PE_core_events", "i__valid & ~i__ready"),
    Point("PE: a vector waits for the MACs", "PE_core_operands", "o__valid & ~o__ready"),
    Point("PE: the load module waits for its FIFO", "PE_core_work", "i__valid & ~i__ready"),
    Point("MAC: the sum added in the cycle before", "MAC",
          "store[0] & add[0] & (store >> 2 == add >> 2)"),
    Point("MAC: the sum being written", "MAC", "stored[0] & add[0] & (stored >> 2 == add >> 2)"),
    Point("PE: a flit waits for the end of a drain", "PE", "i__valid & ~i__ready & draining"),
    Point("PE: the next pass computes beside a drain", "PE", "busy & draining"),
    Point("PE: the clock is off", "PE", "~on"),
    Point("PE: a fired event waits for the network", "PE", "o__valid & ~o__ready"),
    Point("event router: a branch has its copy before another", "EventRouter", "|done"),
    Point("event router full", "EventRouter", "i__valid & ~i__ready"),
    Point("result router: two wait for one", "ResultRouter_arbiter", "i__0__valid & i__2__valid"),
    Point("a pixel of several targets", "EventGenerator",
          "match_valid & choose_load & ~match_load"),
    Point("generator held by the network", "EventGenerator", "o__valid & ~o__ready"),
    Point("bank: row full", "Bank", "spill__valid & keep"),
    Point("bank: a row again in the next cycle", "Bank",
          "~idle & i__valid & (pixel[32:24] == i__payload[32:24])"),
    Point("spill: several ports at once", "mnf_engine_storage_spill",
          "i__0__valid & i__1__valid"),
    Point("spill: the line writer is not ready", "mnf_engine_storage_spill",
          "o__valid & ~o__ready"),
    Point("spill: a layer fires nothing", "mnf_engine_storage_spill",
          "o__valid & ~|o__payload[8:1]"),
    Point("replay: the generators are not ready", "mnf_engine_storage_replay",
          "o__valid & ~o__ready"),
    Point("feeder: a line waits for a port", "mnf_engine_feeder", "i__valid & ~i__ready"),
    Point("an end is missing", "mnf_engine_storage_ends", "missing[0]"),
    *bus_points("mnf"),
)


def _pool(kind: str, overlap: bool) -> Callable[[Pass], bool]:
    return lambda one: (one.layer.pool is not None and one.layer.pool.kind == kind
                        and (one.layer.pool.k > one.layer.pool.s) == overlap)


FACTS: dict[str, Callable[[Program], bool]] = {
    "bands side by side": some_pass(lambda one: len({share.band for share in one.shares}) > 1),
    "bands in passes": lambda program: any(one.mapping.band_passes > 1 for one in program.passes),
    "input channels in passes": some_pass(lambda one: one.mapping.load_passes > 1),
    "output channels in passes": some_pass(lambda one: one.mapping.channel_passes > 1),
    "groups side by side": some_pass(lambda one: one.mapping.group_ways > 1),
    "a PE without work": some_pass(lambda one: len(one.shares) < one.mapping.config.pes),
    "sub-filters in tiles": some_pass(lambda one: max(one.mapping.lanes.tiles) > 1),
    "stride phases": some_pass(lambda one: one.layer.stride > 1 and one.layer.r > 1),
    "stride beyond the kernel": some_pass(
        lambda one: one.layer.stride > max(one.layer.r, one.layer.s)),
    "last group of channels partial": some_pass(
        lambda one: any((share.k[1] - share.k[0]) % share.lanes.kl for share in one.shares)),
    "a map without pixels": some_pass(
        lambda one: bool(one.descriptor["from_memory"]) and not len(one.pixels)),
    "a map that lies on chip": some_pass(lambda one: not one.descriptor["from_memory"]),
    "max pooling": some_pass(_pool("max", False)),
    "max pooling, windows overlap": some_pass(_pool("max", True)),
    "average pooling": some_pass(_pool("avg", False)),
    "average pooling, windows overlap": some_pass(_pool("avg", True)),
}
