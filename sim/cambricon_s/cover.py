"""Cambricon-S' cover points: what its tests must have seen happen (see `sim.common.cover`)."""

from collections.abc import Callable
from functools import partial

import numpy as np

from golden.cambricon_s.books import PLAIN
from golden.cambricon_s.program import CambriconPass, Program
from hw.cambricon_s.engine import CAUSES
from hw.cambricon_s.instruction import CHOICES
from sim.common.cover import Point, bus_points, some_pass

POINTS = (
    *(Point(f"stall: {cause}", "cambricon_s_engine", f"cause_0 == {n}")
      for n, cause in enumerate(CAUSES) if cause != "imbalance"),
    # Only PEs with an index each wait for each other.
    Point("stall: imbalance", "cambricon_s_engine", " | ".join(
        f"(cause_{pe} == {CAUSES.index('imbalance')})" for pe in range(2))),
    Point("NSM: lanes left over meet the next window", "NSM",
          "i__valid & i__ready & (carry != 0)"),
    Point("NSM is held by Dispatch", "NSM", "o__valid & ~o__ready"),
    Point("NSM: a last vector without lanes", "NSM",
          "o__valid & (full == 1) & (its[0] == 0)"),
    Point("CP: queue of stores full", "cambricon_s_engine_cp_store", "~i__ready"),
    *bus_points("cambricon_s"),
)


def _has(unit: str, field: str, holds: Callable[[np.ndarray], np.ndarray]
         ) -> Callable[[Program], bool]:
    """Some slot has such a field."""
    return some_pass(lambda one: bool(np.any(holds(one.column(unit, field)))))


def _loads(one: CambriconPass, name: str) -> np.ndarray:
    return one.column("load", "to") == CHOICES["buffer"].index(name)


FACTS: dict[str, Callable[[Program], bool]] = {
    **{f"synapses of {1 << width} bits": _has("compute", "width", partial(np.equal, width))
       for width in range(PLAIN + 1)},
    "segment without synapses": _has("compute", "synapses", lambda v: v == 0),
    "several segments in a side": _has("compute", "sb_word", lambda v: v > 0),
    "rows of the kernel in one segment": _has("compute", "outer", lambda v: v > 1),
    "sums that go on in NBout": _has("compute", "begin", lambda v: v == 0),
    "several positions": _has("compute", "positions", lambda v: v > 1),
    "zeros for padding": some_pass(lambda one: bool(
        (_loads(one, "nbin") & (one.column("load", "rows") == 0)).any())),
    "neurons that begin inside a beat": _has("load", "skip", lambda v: v > 0),
    "neurons row by row": some_pass(lambda one: bool(
        (_loads(one, "nbin") & (one.column("load", "rows") > 1)).any())),
    "IB refilled": some_pass(lambda one: bool(_loads(one, "ib").any())),
    "channels in chunks": some_pass(lambda one: one.tiling.chunk * one.stage.cfg.tn
                                    < max(w.shape[1] for w in one.stage.weights)),
    "several tiles": some_pass(lambda one: one.tiling.rows < one.stage.output.h
                               or one.tiling.columns < one.stage.output.w),
    "several output groups per pass": some_pass(lambda one: one.tiling.groups > 1),
    "output group partial": some_pass(lambda one: any(
        g.last - g.first < one.stage.cfg.tm for g in one.stage.groups)),
    "max pooling": some_pass(
        lambda one: one.layer.pool is not None and one.layer.pool.kind == "max"),
    "average pooling": some_pass(
        lambda one: one.layer.pool is not None and one.layer.pool.kind == "avg"),
    "pooling window over an edge": some_pass(
        lambda one: one.layer.pool is not None and len(np.unique(
            one.column("store", "pool_rows") * 16 + one.column("store", "pool_columns"))) > 1),
    "stride beyond the kernel": some_pass(
        lambda one: one.layer.stride > max(one.layer.r, one.layer.s)),
    "groups": some_pass(lambda one: one.layer.groups > 1),
    "a batch": some_pass(lambda one: one.layer.batch > 1),
}
