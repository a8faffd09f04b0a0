"""Layers and tensors to a program: tilings, segments, VLIW words, the memory image."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from golden import outputs as arithmetic
from golden.cambricon_s.books import Books
from golden.cambricon_s.emit import Emitter, Switches
from golden.cambricon_s.program import CambriconPass, Program, Segment
from golden.cambricon_s.quantise import GLOBAL, Submatrices
from golden.cambricon_s.stage import Plane, Stage, check, stage
from golden.cambricon_s.stream import UNITS, Slot
from golden.cambricon_s.tiling import Tiling, tiling
from golden.formats.bits import pack_record, put, record_bytes
from golden.formats.lines import pack_lines
from golden.layers import Layer
from golden.program import Image, Memory
from golden.tensors import Tensors
from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import (
    CHOICES,
    DESCRIPTOR_FIELDS,
    INSTRUCTION,
    field_bits,
    line_beats,
    word_bits,
)

USUAL = Switches()
IB = CHOICES["buffer"].index("ib")
RUN_TIME = ("nbin", "every")        # what a run itself may have stored


def compile(layers: Sequence[Layer], tensors: Sequence[Tensors], config: CambriconSConfig, *,
            known: Sequence[np.ndarray | None] | None = None,
            cuts: Sequence[Submatrices] | None = None, switches: Switches = USUAL,
            memory: Memory = Memory(), tilings: Sequence[Tiling] | None = None,    # noqa: B008
            base: int = 0) -> Program:
    """The program that runs the layers one after the other, each reading the one before.

    `known`: outputs that need not be computed here; `cuts`: where each layer's codebooks change;
    `memory`: what tilings are chosen for, unless `tilings` are given. Raises ValueError of one
    line for what the machine cannot do.
    """
    for layer, given in zip(layers, tensors, strict=True):
        check(layer, given, config)
    results = arithmetic.outputs(layers, tensors, config.acc_bits, known=known)
    final = [result.layer for result in results]
    image = Image(base, config.memory_bits, config.addr_bits)
    image.append(bytes(descriptor_bytes(config) * len(layers)))
    cut = cuts or [GLOBAL] * len(layers)
    passes: list[CambriconPass] = []
    source, producer = 0, None
    planes: list[tuple[int, bytes]] = []
    for n, (layer, given) in enumerate(zip(final, tensors, strict=True)):
        one = stage(n, layer, given, config, producer, cut[n])
        neurons = given.activations if n == 0 else results[n - 1].outputs
        if n == 0:
            source = image.append(one.plane.fill(_planes(one.plane, layer, neurons),
                                                 config.data_bits))
        target = image.append(bytes(one.output.size))
        density = _density(neurons) if switches.dynamic else 1.0
        books = Books(one, not switches.static)
        chosen = tilings[n] if tilings else tiling(one, books, switches.static, density, memory)
        words = Emitter(one, books, chosen, switches, image, source, target, n == 0).emit().words()
        passes.append(written(one, words, chosen, switches, image, source, target))
        planes.append((target, one.output.fill(_planes(one.output, layer, results[n].outputs),
                                               config.data_bits)))
        source, producer = target, one.output
    return seal(passes, final, image, planes, config)


def descriptor_bytes(config: CambriconSConfig) -> int:
    return record_bytes([bits for _, bits in DESCRIPTOR_FIELDS], config.memory_bits)


def seal(passes: Sequence[CambriconPass], layers: Sequence[Layer], image: Image,
         planes: Sequence[tuple[int, bytes]], config: CambriconSConfig) -> Program:
    """The program of passes, whose descriptors are at the begin of the image; `planes`: what a run
    leaves there, as (address, bytes)."""
    base, size = image.base, descriptor_bytes(config)
    whole = image.whole()
    for n, made in enumerate(passes):
        record = pack_record([(name, bits, value) for (name, bits), value in zip(
            DESCRIPTOR_FIELDS, (made.program_at, made.words), strict=True)], config.memory_bits)
        whole[n * size:n * size + len(record)] = record
        _seal(made, whole, base)
    expected = bytearray(whole)
    for at, data in planes:
        expected[at - base:at - base + len(data)] = data
    return Program(config=config, layers=tuple(layers), segments=(Segment(
        image=bytes(whole), expected=bytes(expected), base=base, desc_addr=base,
        passes=tuple(passes)),))


def _density(neurons: np.ndarray) -> float:
    return np.count_nonzero(neurons) / neurons.size


def _planes(plane: Plane, layer: Layer, values: np.ndarray) -> np.ndarray:
    """Values of a batch as the plane has them: [images, C, H, W]."""
    if layer.is_fc:
        return values.reshape(layer.batch, -1).T.reshape(1, -1, 1, layer.batch)
    return values.reshape(plane.images, plane.channels, plane.h, plane.w)


def written(one: Stage, words: Sequence[dict[str, Slot]], chosen: Tiling, switches: Switches,
            image: Image, source: int, target: int) -> CambriconPass:
    """The pass of these words, with room for them in the image."""
    cfg = one.cfg
    line = line_beats(cfg) * cfg.beat_bytes
    at = image.end
    for n, word in enumerate(words):
        fetch = word.get("load")
        if fetch is not None and fetch.fields["to"] == IB:
            fetch.fields |= {"address": at + (n + cfg.ib_words // 2) * line, "rows": 1,
                             "beats": fetch.fields["granules"] * line_beats(cfg)}
    slots = {unit: _table(unit, words, cfg, one.layer.name) for unit in UNITS}
    image.append(bytes(line * len(words)))
    return CambriconPass(layer=one.layer, index=one.index, stage=one, tiling=chosen,
                         switches=switches, program_at=at, words=len(words), source=source,
                         target=target, slots=slots)


def _table(unit: str, words: Sequence[dict[str, Slot]], cfg: CambriconSConfig, name: str
           ) -> np.ndarray:
    """Slots as rows of their fields, each below its width."""
    names = [field for field, _ in INSTRUCTION[unit]]
    rows = [[n, *(word[unit].fields.get(field, 0) for field in names)]
            for n, word in enumerate(words) if unit in word]
    table = np.array(rows, np.int64).reshape(-1, 1 + len(names))
    for n, (field, width) in enumerate(INSTRUCTION[unit]):
        limit = 1 << field_bits(cfg, width)
        if len(table) and not 0 <= table[:, 1 + n].min() <= table[:, 1 + n].max() < limit:
            raise ValueError(f"{name}: {unit} {field} must be below {limit}, not "
                             f"{table[:, 1 + n].max()}")
    return table


def _seal(one: CambriconPass, whole: bytearray, base: int) -> None:
    """Puts CRCs into the loads of bytes that no run changes, and the words into the image."""
    cfg = one.stage.cfg
    names = [field for field, _ in INSTRUCTION["load"]]
    column = {name: 1 + n for n, name in enumerate(names)}
    load = one.slots["load"]
    view, beat = memoryview(whole), cfg.beat_bytes
    for row in load:
        if row[column["to"]] == IB or not row[column["rows"]]:
            continue
        if CHOICES["buffer"][row[column["to"]]] not in RUN_TIME:
            row[column["checked"]] = 1
        if row[column["checked"]]:
            crc, at = 0, int(row[column["address"]]) - base
            for _ in range(row[column["rows"]]):
                crc = zlib.crc32(view[at:at + int(row[column["beats"]]) * beat], crc)
                at += int(row[column["pitch"]]) * beat
            row[column["crc"]] = crc
    lines = pack_lines(words_of(one), word_bits(cfg), cfg.memory_bits)
    at = one.program_at - base
    whole[at:at + lines.size] = lines.tobytes()


def words_of(one: CambriconPass) -> np.ndarray:
    """The VLIW words, uint8 [words, bytes]."""
    cfg = one.stage.cfg
    out = np.zeros((one.words, -(-word_bits(cfg) // 8)), np.uint8)
    at = 0
    for unit in UNITS:
        table = one.slots[unit]
        rows = np.zeros((len(table), out.shape[1]), np.uint8)
        for n, (_, width) in enumerate(INSTRUCTION[unit]):
            bits = field_bits(cfg, width)
            put(rows, np.array([at]), bits, table[:, 1 + n])
            at += bits
        put(rows, np.array([at]), 1, np.ones(len(table), np.int64))
        at += 1
        np.bitwise_or.at(out, table[:, 0], rows)
    return out
