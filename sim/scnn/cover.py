"""SCNN's cover points: what its tests must have seen happen (see `sim.common.cover`)."""

from collections.abc import Callable

from golden.scnn.program import WEIGHT, LayerPass, Program
from sim.common.cover import Point, bus_points, some_pass

POINTS = (
    Point("weight FIFO full", "PE_fifo", "i__valid & ~i__ready"),
    Point("weight FIFO empty while the multipliers ask", "PE_fifo", "slot__ready & ~slot__valid"),
    Point("a PE drops a line of which it wants nothing", "PE_fifo",
          "i__valid & ~keep"),
    Point("a block recirculates for its next row of activations", "PE_fifo", "again"),
    Point("activation fetch: block queue full", "PE_fetch", "i__valid & ~i__ready"),
    Point("crossbar queue full", "PE_crossbar", "i__valid & ~i__ready"),
    Point("multipliers held by the crossbar", "PE_multipliers", "o__valid & ~o__ready & i__valid"),
    Point("halo: a sum is sent from the bank in which one arrives", "PE_halo",
          "send_busy & conflict"),
    Point("OARAM placeholder", "PE_ppu_encoder", "~ready"),
    Point("a PE's RAM overflows", "PE", "overflow"),
    Point("an activation outside the window", "PE", "range_error"),
    Point("the root waits for a row of PEs", "scnn_engine_broadcast", "i__valid & ~i__ready"),
    Point("the store waits for the writer", "scnn_engine_collector", "o__valid & ~o__ready"),
    *bus_points("scnn"),
)


def _hops(one: LayerPass) -> int:
    return max(one.rows.hops_before, one.rows.hops_after, one.cols.hops_before,
               one.cols.hops_after)


def _placeholders(value, run, config) -> bool:
    return bool(((value == 0) & (run == (1 << config.index_bits) - 1)).any())


def _long_runs_of_weights(program: Program) -> bool:
    return any(_placeholders(one.weights.value[one.weights.kind == WEIGHT],
                             one.weights.run[one.weights.kind == WEIGHT], program.config)
               for one in program.passes)


def _long_runs_of_activations(program: Program) -> bool:
    return any(_placeholders(one.inputs.value, one.inputs.run, program.config)
               for one in program.passes)


def _parts(program: Program, of: Callable[[LayerPass], str]) -> bool:
    """Some layer of an image has passes that differ in `of`."""
    seen: dict[tuple[int, int], set[str]] = {}
    for one in program.passes:
        seen.setdefault((one.index, one.image), set()).add(of(one))
    return max(map(len, seen.values())) > 1


FACTS: dict[str, Callable[[Program], bool]] = {
    "halo over several hops": some_pass(lambda one: _hops(one) > 1),
    "DRAM tiles": lambda program: _parts(program, lambda one: str(one.outputs[1:])),
    "output channels in chunks": lambda program: _parts(program, lambda one: str(one.outputs[0])),
    "outputs that stay on chip": some_pass(lambda one: not one.stores),
    "inputs that lie on chip": some_pass(lambda one: one.load is None),
    "channels dealt over the PEs": some_pass(lambda one: one.split),
    "last group partial": some_pass(lambda one: one.kc_last < one.kc),
    "weights: a run beyond the index": _long_runs_of_weights,
    "activations: a run beyond the index": _long_runs_of_activations,
    "a channel without activations": some_pass(
        lambda one: not one.split and bool((one.inputs.count.sum(axis=0) == 0).any())),
    "a PE without activations": some_pass(lambda one: bool((one.inputs.rows() == 0).any())),
    "a PE without outputs": some_pass(lambda one: 0 in one.rows.size or 0 in one.cols.size),
    "no weights at all": some_pass(lambda one: not (one.weights.kind == WEIGHT).any()),
    "pooling windows across tiles": some_pass(lambda one: one.rows.overlap + one.cols.overlap > 0),
    "average pooling": some_pass(
        lambda one: one.layer.pool is not None and one.layer.pool.kind == "avg"),
    "stride phases": some_pass(lambda one: one.rows.span.phases * one.cols.span.phases > 1),
    "stride beyond the kernel": some_pass(
        lambda one: one.layer.stride > max(one.layer.r, one.layer.s)),
    "groups": some_pass(lambda one: one.layer.groups > 1),
    "a batch": some_pass(lambda one: one.layer.batch > 1 or one.image > 0),
}
