"""The cycle model of a program: when everything happens, what it counts, who waited for what."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from golden import axi
from golden.layers import Layer
from golden.mnf import image
from golden.mnf.fire import fired
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.mapping import tiles_reached
from golden.mnf.passes import Share
from golden.mnf.program import Pass, Program, map_range
from golden.mnf.replay import members, targets
from golden.mnf.timing import machine, network, pe, storage
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

    def __post_init__(self) -> None:
        assert sum(self.causes.values()) == self.config.pes * self.cycles
        assert all(count >= 0 for count in self.causes.values())

    def layer(self, index: int) -> list[PassReport]:
        return [one for one in self.passes if one.index == index]


def cycles(program: Program, memory: Memory = Memory(), width: int = 0) -> Report:  # noqa: B008
    """Runs the model. `width`: cycles of a bin of the heat map, 0 for none."""
    config = program.config
    maps, starts = _maps(program)
    engine = _engine(program, memory, maps, starts, width)
    sections = np.array([members(config, port) for port in range(config.ports)], np.int64)
    reports = []
    for n, one in enumerate(program.passes):
        begin, before = int(engine.state[machine.NOW]), engine.causes.sum(axis=0)
        if width:
            engine = _room(engine, one)
        machine.run(engine, _job(program, n, starts), _tables(one, config), sections)
        after = engine.causes.sum(axis=0) - before
        reports.append(PassReport(
            index=one.index, begin=begin, end=int(engine.state[machine.NOW]), macs=_macs(one),
            causes=dict(zip(CAUSES, after.tolist(), strict=True))))
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
    links = np.column_stack([engine.events.copies, engine.results.moved])
    return Report(config=config, cycles=busy + CLOSING, passes=tuple(reports), causes=causes,
                  counters=counters, read_beats=counts[machine.READ_BEATS],
                  write_beats=int(engine.writer.state[axi.BEATS_W]), heat=engine.heat, width=width,
                  links=links)


def _room(engine: machine.Engine, one: Pass) -> machine.Engine:
    """The engine with more bins than the pass can last."""
    need = int(engine.state[machine.NOW]) // int(engine.width[0]) + 4 * BINS
    if need <= len(engine.heat):
        return engine
    heat = np.zeros((2 * need, *engine.heat.shape[1:]), np.int32)
    heat[:len(engine.heat)] = engine.heat
    return engine._replace(heat=heat)


def _engine(program: Program, memory: Memory, maps: storage.Maps, starts: dict[int, int],
            width: int) -> machine.Engine:
    config = program.config
    events, results = network.networks(config)
    every = program.passes
    rows = max(one.layer.out_h for one in every)
    room = max(one.descriptor["row_events"] * one.layer.out_h for one in every)
    beat, settings = config.memory_bits // 8, memory.as_dict()
    shares = _shares(program, starts)
    all_pes = pe.pes(config)
    for n in range(config.pes):
        mine = [at for at, one in enumerate(every) if n < len(one.shares)]
        all_pes.core[n, pe.COMES] = mine[0] if mine else 0
    return machine.Engine(
        np.zeros(machine.STATE_FIELDS, np.int64), events, results, all_pes, shares,
        storage.storage(config, rows, max(room, 1), max(len(maps.y), 1)), maps,
        axi.reader(beat, **settings), axi.writer(beat, **settings),
        np.zeros(config.nodes, np.int64), np.zeros(machine.COUNTS, np.int64),
        np.zeros((config.pes, machine.CAUSES), np.int64),
        np.zeros((4 * BINS if width else 1, config.pes, machine.CAUSES), np.int32),
        np.array([width or 1 << 62], np.int64))


def _maps(program: Program) -> tuple[storage.Maps, dict[int, int]]:
    """All pixels: of each layer its map in memory, then what its passes fire, PE by PE; and where
    those of each layer's map and of each (pass, PE) begin, by (−1 − layer) and pass · PEs + PE."""
    parts: list[np.ndarray] = []
    starts: dict[int, int] = {}
    at, pes_ = 0, program.config.pes
    for n, one in enumerate(program.passes):
        if -1 - one.index not in starts:
            starts[-1 - one.index] = at
            parts.append(np.column_stack([one.pixels.channel, one.pixels.y, one.pixels.x]))
            at += len(one.pixels)
        for own, share in enumerate(one.shares):
            if share.fires:
                starts[n * pes_ + own] = at
                parts.append(fired(share, one.layer, one.outputs)[:, 1:])
                at += len(parts[-1])
    whole = np.concatenate(parts).astype(np.int64)
    return storage.Maps(*(np.ascontiguousarray(column) for column in whole.T)), starts


def _shares(program: Program, starts: dict[int, int]) -> pe.Shares:
    config, every = program.config, program.passes
    shape = len(every), config.pes
    found = {name: np.zeros(shape, np.int64)
             for name in ("next", "groups", "fires", "waits", "rows", "used", "first", "last")}
    slots: list[np.ndarray] = []
    pixels: list[np.ndarray] = []
    at = 0
    after = [0] * config.pes
    for n in reversed(range(len(every))):
        for own in range(len(every[n].shares)):
            found["next"][n, own] = after[own]
            after[own] = n
    for n, one in enumerate(every):
        for own, share in enumerate(one.shares):
            lanes = share.lanes
            found["groups"][n, own], found["fires"][n, own] = lanes.groups, share.fires
            found["waits"][n, own] = one.mapping.sides == 1
            found["rows"][n, own] = lanes.groups * lanes.stretch
            found["used"][n, own] = lanes.used
            if share.fires:
                own_slots = fired_slots(share, one.layer, fired(share, one.layer, one.outputs))
                slots.append(own_slots)
                pixels.append(starts[n * config.pes + own] + np.arange(len(own_slots)))
                found["first"][n, own] = at
                at += len(own_slots)
                found["last"][n, own] = at
    return pe.Shares(**found, slot=np.concatenate([*slots, np.zeros(1)]).astype(np.int64),
                     pixel=np.concatenate([*pixels, np.zeros(1)]).astype(np.int64))


def fired_slots(share: Share, layer: Layer, rows: np.ndarray) -> np.ndarray:
    """The sum, in the drain's order, at which each output of `fired` is complete: a window's last
    one."""
    lanes, pool = share.lanes, layer.pool
    first = share.group * (layer.k // layer.groups) + share.k[0]
    group, kk = np.divmod(rows[:, 1] - first, lanes.kl)
    y, x = rows[:, 2] - share.out[0], rows[:, 3]
    if pool:
        top = share.band[0] + pool.pad - share.out[0] * pool.s
        y, x = y * pool.s - top + pool.k - 1, x * pool.s - pool.pad + pool.k - 1
    slots: np.ndarray = (group * lanes.stretch * lanes.used
                         + (y * lanes.pitch + x) * lanes.kl + kk)
    return slots


def _tables(one: Pass, config: MNFConfig) -> storage.Tables:
    layer, geometry, lanes = one.reads, Geometry.of(one.reads), one.shares[0].lanes
    own = targets(layer, one.shares)
    return storage.Tables(
        np.array([[t.dest & members(config, port) for t in own] for port in range(config.ports)],
                 np.int64),
        np.array([t.channels[0] for t in own], np.int64),
        np.array([t.channels[1] - 1 for t in own], np.int64),
        np.array([tiles_reached(geometry.rows, layer.h, lanes.pr, *t.band) for t in own],
                 np.int64),
        tiles_reached(geometry.cols, layer.w, lanes.pc, 0, layer.wo).astype(np.int64))


def _job(program: Program, n: int, starts: dict[int, int]) -> machine.Job:
    one, config = program.passes[n], program.config
    beat, d = config.memory_bits // 8, one.descriptor
    size = image.descriptor_bytes(config)
    per_line = fields.line_bits(config) // config.memory_bits
    lines = map_range(one.pixels, (d["first_row"], d["last_row"]), config)
    start = starts[-1 - one.index]
    return machine.Job(
        beat=(program.desc_addr + n * size) // beat, beats=size // beat, lines=one.flits(config),
        setup_beat=d["setup_addr"] // beat, map_beat=d["map_addr"] // beat,
        map_lines=d["map_lines"], map_first=start + lines[0] * fields.pixels_per_line(config),
        map_end=start + len(one.pixels), store_beat=d["store_addr"] // beat,
        store_beats=d["store_lines"] * per_line,
        **{name: d[name] for name in ("from_memory", "first", "last", "keep", "out_rows",
                                      "row_events", "first_row", "last_row", "members", "fires")})


def _macs(one: Pass) -> int:
    """Multiplications of a pass: every lane that an event enables, PE by PE."""
    layer, geometry = one.reads, Geometry.of(one.reads)
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

