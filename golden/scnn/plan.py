"""Which passes a list of stages becomes: tiles, output-channel chunks, what stays on chip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from golden.scnn import activations
from golden.scnn.geometry import Axis, Span, tiled, whole
from golden.scnn.program import Encoded
from golden.scnn.stage import Stage
from hw.scnn.config import SCNNConfig

MOST_TILES = 4096
KEPT = 16           # encoded inputs kept at hand
PAPER_KC = 8        # with which layers are planned whose kc the model is to choose


class Never(str):
    """A refusal that smaller tiles do not cure."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """One descriptor, before addresses. `first`, `last`: its output channels."""

    stage: Stage
    rows: Axis
    cols: Axis
    split: bool
    first: int
    last: int
    kc: int
    load: bool
    corner: tuple[int, int] = (0, 0)        # first input row and column of its DRAM tile
    place: tuple[int, int] = (0, 0)         # first pooled row and column
    consumer: Plan | None = None            # reads the outputs on chip

    @property
    def window_sums(self) -> int:
        return self.rows.window * self.cols.window * self.kc

    @property
    def channels(self) -> int:
        """Input channels in a PE's RAM."""
        return -(-self.stage.channels // self.rows.pes // self.cols.pes) if self.split \
            else self.stage.channels

    @property
    def following(self) -> tuple[Axis, Axis]:
        """The geometry in which the outputs are written."""
        if self.consumer is not None:
            return self.consumer.rows, self.consumer.cols
        return plain(self.rows), plain(self.cols)

    def input(self, image: int) -> np.ndarray:
        """This tile's part of an image's input."""
        (y, x), (h, w) = self.corner, (self.rows.span.inputs, self.cols.span.inputs)
        return self.stage.inputs[image][:, y:y + h, x:x + w]

    @property
    def region(self) -> tuple[slice, slice, slice]:
        """What of the stage's output it gives."""
        (y, x), (h, w) = self.place, (self.rows.span.pooled, self.cols.span.pooled)
        return slice(self.first, self.last), slice(y, y + h), slice(x, x + w)

    def result(self, image: int) -> np.ndarray:
        return self.stage.outputs[image][self.region]


def plain(axis: Axis) -> Axis:
    """What reads the pooled outputs of `axis` as they are: the geometry of a store."""
    n, q = axis.span.pooled, axis.q
    span = Span(inputs=n, pad=0, stride=1, taps=1, outputs=n, pooled=n)
    return Axis(span=span, q=q, o=q, x=tuple(pairwise(q)))


class Planner:
    """Plans for one configuration. `actual`: sizes from the tensors at hand, else the worst."""

    def __init__(self, config: SCNNConfig, actual: bool) -> None:
        self.config, self.actual = config, actual
        self._encoded: dict[tuple[Any, ...], Encoded] = {}

    def segments(self, stages: Sequence[Stage], chain: bool) -> list[list[Plan]]:
        """Per segment its plans in order, for one image."""
        if not chain:
            return [[plan for stage in stages for plan in self.alone(stage)]]
        out, at = [], 0
        while at < len(stages):
            run = self.longest(stages, at)
            at += max(1, len(run))
            out.append(run if run else self.alone(stages[at - 1]))
        return out

    def longest(self, stages: Sequence[Stage], at: int) -> list[Plan]:
        """Layers from `at` on that can follow each other on chip; empty if the first is alone."""
        first = self._loaded(stages[at])
        if isinstance(first, str):
            return []
        run = [first]
        for stage in stages[at + 1:]:
            following = self._on_chip(run[-1], stage)
            if following is None:
                break
            run.append(following)
        while len(run) > 1 and not self._storable(run[-1]):
            run.pop()
        linked: list[Plan] = []
        for plan in reversed(run):
            linked.append(replace(plan, consumer=linked[-1] if linked else None))
        return linked[::-1] if len(run) > 1 else []

    # One pass

    def _loaded(self, stage: Stage, rows: Span | None = None, cols: Span | None = None,
                corner: tuple[int, int] = (0, 0),
                place: tuple[int, int] = (0, 0), split: bool = False) -> Plan | str:
        """The plan that loads (a tile of) the stage's input and computes all of K; or why not.

        `split`: its channels are to be dealt over the PEs; else only where they must be.
        """
        config = self.config
        rows, cols = rows or stage.rows, cols or stage.cols
        if split or self._dealt(stage):
            return self._plan(stage, whole(rows, config.pe_rows), whole(cols, config.pe_cols),
                              True, corner=corner, place=place, load=True)
        plan: Plan | str = ""
        for axes in sorted(self._cuts(rows, cols), key=lambda axes: self._burden(stage, axes)):
            plan = self._plan(stage, *axes, False, corner=corner, place=place, load=True)
            if not isinstance(plan, str):
                break
        return plan

    def _dealt(self, stage: Stage) -> bool:
        """Channels are dealt over the PEs whatever else would do."""
        return stage.one_output or stage.channels > self.config.max_channels

    def _cuts(self, rows: Span, cols: Span) -> list[tuple[Axis, Axis]]:
        """Ways to deal the inputs: near their outputs, evenly, evenly over fewer PEs.

        The last where sums travel far: to the one owner of a global pooling.
        """
        grid = self.config.pe_rows, self.config.pe_cols

        def even(share: int) -> tuple[Axis, Axis]:
            used = [-(-pes // share) for pes in grid]
            down, across = (tiled(span, pes, span.even_bounds(pes, n))
                            for span, pes, n in zip((rows, cols), grid, used, strict=True))
            return down, across

        out = [(tiled(rows, grid[0]), tiled(cols, grid[1])), even(1)]
        share = 2
        while share < 2 * max(grid) and max(a.hops_before + a.hops_after for a in out[-1]) > 1:
            out.append(even(share))
            share *= 2
        return out

    def _burden(self, stage: Stage, axes: tuple[Axis, Axis]) -> float:
        """Cycles of a layer in tiles, roughly: per group the largest tile or the drain."""
        config, (rows, cols) = self.config, axes
        positions = rows.window * cols.window
        kc = min(config.kc or PAPER_KC, config.max_kc, stage.layer.k, config.acc_depth // positions)
        if not kc:
            return float("inf")
        tile = max(rows.width) * max(cols.width) * stage.activation_density
        block = kc * stage.taps.size * stage.weight_density
        work = stage.channels / stage.layer.groups * (tile / config.mults_i + 0.5) * (
            block / config.mults_f + 0.5)
        columns = cols.hops_before * cols.halo_before + cols.hops_after * cols.halo_after
        strips = rows.hops_before * rows.halo_before + rows.hops_after * rows.halo_after
        drain = (columns * rows.window + strips * max(cols.size)
                 + max(rows.size) * max(cols.size) + positions / config.acc_banks) * kc
        return stage.layer.k / kc * max(work, drain)

    def _plan(self, stage: Stage, rows: Axis, cols: Axis, split: bool, *, load: bool,
              corner: tuple[int, int] = (0, 0), place: tuple[int, int] = (0, 0)) -> Plan | str:
        plan = Plan(stage=stage, rows=rows, cols=cols, split=split, first=0, last=stage.layer.k,
                    kc=1, load=load, corner=corner, place=place)
        why = self._refusal(plan)
        if why:
            return why
        kc = self._kc(plan)
        return kc if isinstance(kc, str) else replace(plan, kc=kc)

    def _refusal(self, plan: Plan) -> str:
        """Why the geometry does not fit, or nothing."""
        config = self.config
        for axis in (plan.rows, plan.cols):
            if max(*axis.size, *axis.limit, *axis.pooled) > 255:
                return f"a PE's tile must be at most 255 wide, not {max(axis.size)}"
            halos = axis.halo_before, axis.halo_after, axis.hops_before, axis.hops_after
            if max(halos) > 255:
                return f"halos and hops must be at most 255, not {max(halos)}"
        positions = plan.rows.window * plan.cols.window
        if positions > config.acc_depth:
            return (f"a window of {plan.rows.window} x {plan.cols.window} sums must fit into "
                    f"acc_banks x acc_entries ({config.acc_depth})")
        if plan.channels > config.max_channels:
            return Never(f"a PE must hold at most max_channels ({config.max_channels}) input "
                         f"channels after the split by stride, not {plan.channels}")
        if plan.load:
            rows = self._input_rows(plan)
            if rows > config.ram_rows:
                return (f"a PE's inputs must fit into {config.ram_rows} rows of ram_elements, "
                        f"not {rows}")
        return ""

    def _input_rows(self, plan: Plan) -> int:
        if not self.actual:
            return activations.worst_rows(plan.rows, plan.cols, plan.split, plan.stage.planes,
                                          self.config)
        fewest = -(-np.count_nonzero(plan.input(0)) // (self.config.pes * self.config.mults_i))
        if fewest > self.config.ram_rows:
            return fewest
        return max(int(self._encode(plan, i).rows().max()) for i in range(len(plan.stage.inputs)))

    def _encode(self, plan: Plan, image: int) -> Encoded:
        key = plan.stage.index, plan.rows, plan.cols, plan.corner, image
        if key not in self._encoded:
            if len(self._encoded) >= KEPT:
                self._encoded.pop(next(iter(self._encoded)))
            self._encoded[key] = activations.encode(plan.input(image), plan.rows, plan.cols,
                                                    plan.split, self.config)
        return self._encoded[key]

    def _kc(self, plan: Plan, outputs: int | None = None) -> int | str:
        """Output channels of a group for chunks of `outputs` channels; or why none will do."""
        config = self.config
        most = min(config.max_kc, outputs or plan.last - plan.first,
                   config.acc_depth // (plan.rows.window * plan.cols.window))
        # The paper's kc is for tiles. Dealt channels are bound by the bus: fullest slots are best.
        kc = most if plan.split else min(config.kc or PAPER_KC, most)
        while kc:
            largest = plan.stage.blocks(plan.first, plan.last, kc, config).largest
            if largest <= config.fifo_entries:
                break
            kc = min(kc - 1, max(1, kc * config.fifo_entries // largest)) if kc > 1 else 0
        if not kc:
            return Never(f"the weights of one pair of channels must fit into fifo_entries "
                         f"({config.fifo_entries}), not {largest}")
        return kc

    # Chains

    def _on_chip(self, before: Plan, stage: Stage) -> Plan | None:
        """The plan of `stage` on the outputs that `before` leaves in the PEs; None if it cannot."""
        config = self.config
        shape = before.stage.outputs[0].shape
        if stage.inputs[0].shape != shape or stage.channels > config.max_channels:
            return None
        plan = self._plan(stage, tiled(stage.rows, config.pe_rows, before.rows.q),
                          tiled(stage.cols, config.pe_cols, before.cols.q), False, load=False)
        if isinstance(plan, str) or self._input_rows(plan) > config.ram_rows:
            return None
        return plan

    def _storable(self, plan: Plan) -> bool:
        """All outputs fit into the output RAMs at once."""
        return (plan.stage.layer.k <= self.config.max_channels
                and int(self._output_rows(plan).sum(axis=1).max()) <= self.config.ram_rows)

    def _output_rows(self, plan: Plan) -> np.ndarray:
        """Rows in the output RAM, [PEs or 1, K]: the most over images."""
        rows, cols = plan.following
        if not self.actual:
            each = activations.worst_rows(rows, cols, False, 1, self.config)
            return np.full((1, plan.last - plan.first), each)
        count: np.ndarray = np.zeros(0)
        for image in range(len(plan.stage.outputs)):
            here = activations.encode(plan.result(image), rows, cols, False, self.config).count
            count = np.maximum(count, here) if image else here
        return count

    # DRAM tiles and chunks of output channels

    def alone(self, stage: Stage) -> list[Plan]:
        """The passes of a stage that loads its input and stores its output.

        The fewest tiles that do. If their outputs come in several chunks, each of which loads the
        inputs again, more tiles are tried, no more of them than there were passes. Where even the
        smallest tiles have too many channels for a PE's RAM, the channels are dealt over the PEs.
        """
        plans = self._alone(stage, False)
        if isinstance(plans, str) and not isinstance(plans, Never) and not self._dealt(stage):
            dealt = self._alone(stage, True)
            plans = plans if isinstance(dealt, str) else dealt
        if isinstance(plans, str):
            raise ValueError(f"{stage.layer.name}: {plans}")
        return plans

    def _alone(self, stage: Stage, split: bool) -> list[Plan] | str:
        best: list[Plan] = []
        why, least, most = "", float("inf"), 0
        for counts in _tile_counts(stage):
            if best and counts[0] * counts[1] > most:
                break
            plans = self._tiled(stage, counts, split)
            if isinstance(plans, str):
                why = plans
                if isinstance(why, Never):
                    break
                continue
            if not best:
                most = len(plans) if len(plans) > counts[0] * counts[1] else 0
            cost = self._cost(plans) if most else 0.0
            if cost < least:
                best, least = plans, cost
        return best or why

    def _tiled(self, stage: Stage, counts: tuple[int, int], split: bool) -> list[Plan] | str:
        """The passes of so many tiles down and across; or why not."""
        plans: list[Plan] = []
        for rows, cols, corner, place in _tiles(stage, *counts):
            plan = self._loaded(stage, rows, cols, corner, place, split)
            chunks = plan if isinstance(plan, str) else self._chunks(plan)
            if isinstance(chunks, str):
                return chunks
            plans += chunks
        return plans

    def _cost(self, plans: Sequence[Plan]) -> float:
        """Cycles, roughly: loads, and per group the slowest PE's vectors or the drain."""
        total = 0.0
        for plan in plans:
            encoded = self._encode(plan, 0)
            rows = encoded.count.max(axis=0)
            blocks = plan.stage.blocks(plan.first, plan.last, plan.kc, self.config)
            group, channel = np.divmod(blocks.ids, blocks.channels)
            work = blocks.slots * (1 if plan.split else rows[channel])
            groups = np.bincount(group, work, minlength=blocks.groups)
            drain = (plan.rows.window * plan.cols.window
                     + max(plan.rows.size) * max(plan.cols.size)) * plan.kc
            total += (len(encoded.value) / self.config.weight_bus
                      + float(np.maximum(groups, drain).sum()))
        return total

    def _chunks(self, plan: Plan) -> list[Plan] | str:
        """The plan cut into chunks of output channels that fit into the output RAMs."""
        config = self.config
        rows = self._output_rows(plan)
        total = np.cumsum(np.concatenate([np.zeros((len(rows), 1), np.int64), rows], axis=1),
                          axis=1)
        first, out = 0, []
        while first < plan.last:
            fits = ((total - total[:, first:first + 1]).max(axis=0) <= config.ram_rows).sum() - 1
            last = min(int(fits), first + config.max_channels)
            if last == first:
                return (f"a PE's outputs of one channel must fit into {config.ram_rows} rows of "
                        "ram_elements")
            if last < plan.last and last - first > plan.kc:
                last -= (last - first) % plan.kc
            chunk = replace(plan, first=first, last=last)
            kc = self._kc(chunk)
            if isinstance(kc, str):
                return kc
            out.append(replace(chunk, kc=kc))
            first = last
        return out


def _tile_counts(stage: Stage) -> Iterator[tuple[int, int]]:
    """Numbers of tiles down and across: fewest first, then the squarest tiles."""
    h, w = stage.rows.pooled, stage.cols.pooled
    most = min(MOST_TILES, h * w)
    pairs = [(y, x) for y in range(1, min(h, most) + 1) for x in range(1, min(w, most // y) + 1)]
    return iter(sorted(pairs, key=lambda n: (n[0] * n[1], abs(h / n[0] - w / n[1]))))


def _tiles(stage: Stage, down: int, across: int) -> Iterator[tuple[
        Span, Span, tuple[int, int], tuple[int, int]]]:
    def cuts(span: Span, count: int) -> list[tuple[Span, int, int]]:
        bounds = [n * span.pooled // count for n in range(count + 1)]
        return [(*span.cut(a, b), a) if count > 1 else (span, 0, 0)
                for a, b in pairwise(bounds)]
    for rows, y, place_y in cuts(stage.rows, down):
        for cols, x, place_x in cuts(stage.cols, across):
            yield rows, cols, (y, x), (place_y, place_x)
