"""The cycle model of a program: when everything happens, what it counts, who waited for what."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from golden import axi
from golden.layers import Layer
from golden.mnf import image
from golden.mnf.fire import fired
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.mapping import first_tile, tiles_reached
from golden.mnf.passes import Share
from golden.mnf.program import Pass, Program, map_range
from golden.mnf.replay import targets
from golden.mnf.sections import members
from golden.mnf.sparse import lists, multiplications
from golden.mnf.timing import flight, machine, network, pe, storage
from golden.program import Memory
from hw.mnf import fields
from hw.mnf.config import MNFConfig

CAUSES = ("compute", "drain", "load", "wait", "idle")
CLOSING = 3             # cycles of CYCLES: before the first busy one, and two after the last pass
BINS = 400              # of a heat map


@dataclass(frozen=True, kw_only=True)
class PassReport:
    """A descriptor: cycles [begin, end), PE-cycles by cause, multiplications."""

    index: int                  # of its layer
    begin: int
    end: int
    causes: dict[str, int]
    macs: int
    setup: int                  # cycles of SETUP: registers, biases, weights
    apart: int                  # cycles that only wait for its map to come or its outputs to go


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """A layer's share of a run; those of all layers sum to the run."""

    cycles: int
    cycles_layer: int           # without what a chain would not wait for
    causes: dict[str, int]
    macs: int
    setup: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """A program's run against the bench's memory; counters as the hardware has them."""

    config: MNFConfig
    cycles: int                 # from start to irq
    passes: tuple[PassReport, ...]
    causes: dict[str, int]      # PE-cycles, which sum to PEs × cycles
    counters: dict[str, int]
    read_beats: int
    write_beats: int
    heat: np.ndarray = field(repr=False)        # int32 [bins, PEs, causes]
    width: int                  # cycles of a bin
    links: np.ndarray = field(repr=False)       # int64 [nodes, 4]: flits E, S, into the PE; results
    leapt: int                  # cycles that the model did not step register by register

    def __post_init__(self) -> None:
        assert sum(self.causes.values()) == self.config.pes * self.cycles
        assert all(count >= 0 for count in self.causes.values())

    @property
    def segment_cycles(self) -> tuple[int, ...]:
        """The CYCLES register of the program's one segment."""
        return (self.cycles,)

    @property
    def cycles_layer(self) -> int:
        """`cycles` without waiting for the first layer's map and for the last one's outputs."""
        return self.cycles - sum(one.apart for one in self.passes)

    def layer(self, index: int) -> LayerReport:
        """A layer's share; the first and the last cycles are the last layer's."""
        mine = [one for one in self.passes if one.index == index]
        closing = CLOSING * (mine[-1] is self.passes[-1])
        causes = {name: sum(one.causes[name] for one in mine) for name in CAUSES}
        causes["idle"] += self.config.pes * closing
        total = sum(one.end - one.begin for one in mine) + closing
        return LayerReport(
            cycles=total, cycles_layer=total - sum(one.apart for one in mine), causes=causes,
            macs=sum(one.macs for one in mine), setup=sum(one.setup for one in mine))


def cycles(program: Program, memory: Memory = Memory(), width: int = 0,  # noqa: B008
           leaps: bool = True) -> Report:
    """Runs the model. `width`: cycles of a bin of the heat map, 0 for none. Without `leaps` it
    steps every cycle, to the same effect. ValueError for a config that it does not cover."""
    config = program.config
    maps, ranges = _maps(program)
    engine = _engine(program, memory, maps, ranges, width)
    engine.state[machine.LEAPS] = leaps
    reports = []
    for n, one in enumerate(program.passes):
        begin, before = int(engine.state[machine.NOW]), engine.causes.sum(axis=0)
        counts = engine.counts.copy()
        if width:
            engine = _room(engine, one)
        machine.run(engine, _job(program, n, ranges), _tables(one, config))
        after = engine.causes.sum(axis=0) - before
        reports.append(PassReport(
            index=one.index, begin=begin, end=int(engine.state[machine.NOW]),
            macs=_macs(one, config),
            causes=dict(zip(CAUSES, after.tolist(), strict=True)),
            setup=int((engine.counts - counts)[machine.SETUPS]),
            apart=int((engine.counts - counts)[machine.APART])))
    return _report(program, engine, reports, width)


def _report(program: Program, engine: machine.Engine, reports: list[PassReport],
            width: int) -> Report:
    config = program.config
    busy = int(engine.state[machine.NOW])
    causes = dict(zip(CAUSES, engine.causes.sum(axis=0).tolist(), strict=True))
    # The first cycle, and the last two (FETCH finds nothing, END), in which all rest.
    causes["idle"] += config.pes * CLOSING
    counts = engine.counts.tolist()
    counters = {"macs": sum(one.macs for one in reports), "pixels": counts[machine.PIXELS],
                "events": counts[machine.EVENTS], "fired": counts[machine.FIRED],
                "spilled": counts[machine.SPILLED],
                **{f"busy_{n + 1}": int(engine.causes[n, 0]) for n in range(config.pes)}}
    links = np.column_stack([
        engine.net[:, network.COPIES:network.COPIES + 3], engine.back[:, network.MOVED]])
    return Report(config=config, cycles=busy + CLOSING, passes=tuple(reports), causes=causes,
                  counters=counters, read_beats=counts[machine.READ_BEATS],
                  write_beats=int(engine.writer.state[axi.BEATS_W]),
                  heat=engine.heat if width else engine.heat[:0], width=width,
                  links=links, leapt=counts[machine.LEAPT])


def _room(engine: machine.Engine, one: Pass) -> machine.Engine:
    """The engine with more bins than the pass can last."""
    need = int(engine.state[machine.NOW]) // int(engine.width[0]) + 4 * BINS
    if need <= len(engine.heat):
        return engine
    heat = np.zeros((2 * need, *engine.heat.shape[1:]), np.int32)
    heat[:len(engine.heat)] = engine.heat
    return engine._replace(heat=heat)


def _engine(program: Program, memory: Memory, maps: np.ndarray,
            ranges: dict[int, tuple[int, int]], width: int) -> machine.Engine:
    config = program.config
    net, back = network.networks(config)
    every = program.passes
    rows = max(one.layer.out_h for one in every)
    room = max(one.descriptor["row_events"] * one.layer.out_h for one in every)
    beat, settings = config.memory_bits // 8, memory.as_dict()
    shares, fires = _shares(program, maps, ranges)
    words = _lists(program, shares)
    all_pes = pe.pes(config)
    for n in range(config.pes):
        mine = [at for at, one in enumerate(every) if n < len(one.shares)]
        all_pes[n, pe.COMES] = mine[0] if mine else 0
    state = np.zeros(machine.STATE_FIELDS, np.int64)
    state[machine.CLEARING], state[machine.DEPTH] = config.acc_entries, config.vector_fifo
    return machine.Engine(
        state, np.zeros(machine.PASS_FIELDS, np.int64), net, back, all_pes, shares, fires,
        pe.Sparse(words, np.zeros((pe.SPARSE_EVENTS, 3), np.int64)),
        storage.storage(config, maps, rows, max(room, 1)),
        axi.reader(beat, **settings), axi.writer(beat, **settings),
        np.zeros(config.nodes, np.int64), np.zeros(machine.COUNTS, np.int64),
        np.zeros((config.pes, machine.CAUSES), np.int64),
        np.zeros((4 * BINS if width else 1, config.pes, machine.CAUSES), np.int32),
        np.array([width or 1 << 62], np.int64), np.zeros((2, config.nodes), np.int64),
        flight.flight(config))


def _maps(program: Program) -> tuple[np.ndarray, dict[int, tuple[int, int]]]:
    """All pixels: of each layer its map in memory, then what its passes fire, PE by PE; and which
    are those of each layer's map and of each (pass, PE), by (−1 − layer) and pass · PEs + PE."""
    parts: list[np.ndarray] = []
    ranges: dict[int, tuple[int, int]] = {}
    at, pes_ = 0, program.config.pes

    def add(key: int, places: np.ndarray) -> None:
        nonlocal at
        parts.append(places)
        ranges[key] = at, at + len(places)
        at += len(places)

    for n, one in enumerate(program.passes):
        if -1 - one.index not in ranges:
            pixels = one.pixels
            add(-1 - one.index, np.column_stack([pixels.channel, pixels.y, pixels.x]))
        for own, share in enumerate(one.shares):
            if share.fires:
                add(n * pes_ + own, fired(share, one.layer, one.outputs)[:, 1:])
    return np.concatenate(parts).astype(np.int64), ranges


def _shares(program: Program, maps: np.ndarray,
            ranges: dict[int, tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """`machine.Engine.shares`, `fired`, from what `_maps` gives."""
    pes_, every = program.config.pes, program.passes
    out = np.zeros((len(every), pes_, pe.SHARE_COLUMNS), np.int64)
    parts: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    after, at = [0] * pes_, 0
    for n in reversed(range(len(every))):
        for own in range(len(every[n].shares)):
            out[n, own, pe.SHARE_NEXT], after[own] = after[own], n
    for n, one in enumerate(every):
        for own, share in enumerate(one.shares):
            lanes, entry = share.lanes, out[n, own]
            entry[pe.GROUPS], entry[pe.FIRES] = lanes.groups, share.fires
            entry[pe.WAITS] = one.mapping.sides == 1
            entry[pe.ROWS], entry[pe.ROW_SUMS] = lanes.groups * lanes.stretch, lanes.used
            if share.fires:
                numbers = np.arange(*ranges[n * pes_ + own])
                slots = fired_slots(share, one.layer, maps[numbers])
                parts.append(np.column_stack([slots, numbers]))
                entry[pe.FIRST], entry[pe.END_AT] = at, at + len(slots)
                at += len(slots)
    return out, np.concatenate(parts).astype(np.int64)


def _lists(program: Program, shares: np.ndarray) -> np.ndarray:
    """`pe.Sparse.words`; where they are goes into `machine.Engine.shares`."""
    if not program.config.weight_sparse:
        return np.zeros(0, np.int64)
    parts: list[np.ndarray] = []
    found: dict[object, int] = {}
    at = 0
    for n, one in enumerate(program.passes):
        for own, share in enumerate(one.shares):
            key = one.index, share.group, share.k, share.c, share.lanes
            if key not in found:
                found[key] = at
                parts.append(lists(share, one.reads, one.weights, program.config).count)
                at += len(parts[-1])
            shares[n, own, pe.TILES_AT] = found[key]
            shares[n, own, pe.ACROSS] = share.lanes.tiles[1]
    return np.concatenate(parts).astype(np.int64)


def fired_slots(share: Share, layer: Layer, places: np.ndarray) -> np.ndarray:
    """The sum, in the drain's order, at which each output that fires is complete, a window's last
    one; `places`: their channel, row and column."""
    lanes, pool = share.lanes, layer.pool
    first = share.group * (layer.k // layer.groups) + share.k[0]
    group, kk = np.divmod(places[:, 0] - first, lanes.kl)
    y, x = places[:, 1] - share.out[0], places[:, 2]
    if pool:
        top = share.band[0] + pool.pad - share.out[0] * pool.s
        y, x = y * pool.s - top + pool.k - 1, x * pool.s - pool.pad + pool.k - 1
    slots: np.ndarray = (group * lanes.stretch * lanes.used
                         + (y * lanes.pitch + x) * lanes.kl + kk)
    return slots


def _tables(one: Pass, config: MNFConfig) -> storage.Tables:
    layer, geometry, lanes = one.reads, Geometry.of(one.reads), one.shares[0].lanes
    own = targets(layer, one.shares)
    tiles, rows, cols = lanes.tiles[0] * lanes.tiles[1], geometry.rows, geometry.cols
    # A channel has the tiles of its phases; those of a phase count down (*Lane map*).
    row_phase = rows.phase(np.arange(layer.h)) * cols.phases * tiles + tiles - 1
    return storage.Tables(
        np.array([[t.channels[0], t.channels[1] - 1, *(
            t.dest & members(config, port) for port in range(config.ports))] for t in own],
            np.int64),
        np.array([tiles_reached(rows, layer.h, lanes.pr, *t.band) for t in own], np.int64),
        tiles_reached(cols, layer.w, lanes.pc, 0, layer.wo).astype(np.int64),
        tiles * geometry.phases if config.weight_sparse else 0,
        np.array([row_phase - lanes.tiles[1] * first_tile(rows, layer.h, lanes.pr, *t.band)
                  for t in own], np.int64),
        (cols.phase(np.arange(layer.w)) * tiles
         - first_tile(cols, layer.w, lanes.pc, 0, layer.wo)).astype(np.int64))


def _job(program: Program, n: int, ranges: dict[int, tuple[int, int]]) -> machine.Job:
    one, config = program.passes[n], program.config
    beat, d = config.memory_bits // 8, one.descriptor
    size = image.descriptor_bytes(config)
    per_line = fields.line_bits(config) // config.memory_bits
    lines = map_range(one.pixels, (d["first_row"], d["last_row"]), config)
    start, end = ranges[-1 - one.index]
    return machine.Job(
        beat=(program.desc_addr + n * size) // beat, beats=size // beat, lines=one.flits(config),
        setup_beat=d["setup_addr"] // beat, map_beat=d["map_addr"] // beat,
        map_lines=d["map_lines"], map_first=start + lines[0] * fields.pixels_per_line(config),
        map_end=end, store_beat=d["store_addr"] // beat,
        store_beats=d["store_lines"] * per_line,
        **{name: d[name] for name in ("from_memory", "first", "last", "keep", "out_rows",
                                      "row_events", "first_row", "last_row", "members", "fires")})


def _macs(one: Pass, config: MNFConfig) -> int:
    """Multiplications of a pass: every lane that an event enables, PE by PE."""
    layer, geometry = one.reads, Geometry.of(one.reads)
    if config.weight_sparse:
        return sum(multiplications(share, layer, one.weights, one.plane) for share in one.shares)
    plane = one.plane
    cols = _cells(geometry.cols, layer.w, 0, layer.wo)
    total, rows = 0, {}
    depth = layer.c // layer.groups
    for share in one.shares:
        first = share.group * depth
        key = first + share.c[0], first + share.c[1]
        if key not in rows:
            rows[key] = np.count_nonzero(plane[key[0]:key[1]], axis=0) @ cols
        reached = _cells(geometry.rows, layer.h, *share.band)
        total += int(rows[key] @ reached) * share.lanes.kl * share.lanes.groups
    return total


def _cells(axis: Axis, size: int, first: int, last: int) -> np.ndarray:
    """Outputs that each of `size` pixels of an axis reaches."""
    reach = axis.reach(np.arange(size), first, last)
    return np.where(reach.hit, reach.jump + 1, 0)

