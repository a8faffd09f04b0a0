"""The machine word by word from a memory image, without time: a second opinion on `compile`.

It follows the registers as hw/mnf/README.md describes them and shares nothing with `lanes`,
`events` and `fire`. For small programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from golden import layers as arithmetic
from golden.layers import Pool
from golden.mnf import image
from golden.mnf.decode import lines_at
from golden.mnf.events import Pixels
from hw.mnf import fields
from hw.mnf.config import MNFConfig
from hw.mnf.fields import CONFIG_BITS, WEIGHT_POINTER, Kind

Pixel = tuple[int, int, int, int]           # value, channel, row, column


class PE:
    """Registers, weight SRAM, biases and sums of a PE."""

    def __init__(self, config: MNFConfig) -> None:
        self.config = config
        self.word = 0
        self.sram = np.zeros((config.weight_words, config.lanes), np.int64)
        self.pointer, self.thirds = 0, list[int]()
        self.biases = np.zeros((2, config.bias_words), np.int64)
        self.side = 0
        self.sums = np.zeros((config.acc_entries, config.lanes), np.int64)

    @property
    def registers(self) -> dict[str, Any]:
        out: dict[str, Any] = image.unpack(fields.pass_fields(self.config), self.word)
        return out

    def take(self, kind: int, payload: int) -> None:
        """A CONFIG, WEIGHT or BIAS flit."""
        if kind == Kind.WEIGHT:
            self._third(payload)
            return
        flit = image.unpack(fields.config_fields(), payload)
        address, value = flit["address"], flit["value"]
        if kind == Kind.BIAS:
            self.biases[self.side, address] = value - (value >> 31 << 32)
        elif address == WEIGHT_POINTER:
            self.pointer, self.thirds = value, []
        else:
            if address * CONFIG_BITS >= fields.width(fields.pass_fields(self.config)):
                raise ValueError(f"CONFIG to register {address}, which is none")
            at = address * CONFIG_BITS
            self.word = self.word & ~((1 << CONFIG_BITS) - 1 << at) | value << at

    def _third(self, payload: int) -> None:
        self.thirds.append(payload)
        if len(self.thirds) == 3:
            size, bits = fields.payload_bits(self.config), self.config.data_bits
            joined = sum(third << n * size for n, third in enumerate(self.thirds))
            weights = [joined >> n * bits & (1 << bits) - 1 for n in range(self.config.lanes)]
            self.sram[self.pointer] = [w - (w >> bits - 1 << bits) for w in weights]
            self.pointer, self.thirds = self.pointer + 1, []

    def event(self, registers: dict[str, Any], event: dict[str, int]) -> None:
        """Walks groups and tiles as the load module does, and multiplies."""
        r, slots = registers["load"], registers["dispatch"]
        wrap = 1 << self.config.entry_bits
        y, x = r["tap_rows"] - event["tap_row"], r["tap_cols"] - event["tap_col"]
        rows, cols = y // r["pr"], x // r["pc"]
        down = (y + event["y_jump"]) // r["pr"] - rows
        right = (x + event["x_jump"]) // r["pc"] - cols
        origin = event["neuron"] + r["back"] - x % r["pc"] - y % r["pr"] * r["pitch"]
        quotient = origin * r["reciprocal"] >> fields.reciprocal_shift(self.config)
        weight = event["channel"] * r["words"] + r["tiles"] - 1 - cols - rows * r["tiles_across"]
        entry, rotation = quotient + r["base"], origin - quotient * r["positions"]
        for g in range(r["groups"]):
            for a in range(down + 1):
                for b in range(right + 1):
                    turned = rotation + a * r["down_rotation"] + b * r["across_rotation"]
                    at = (entry + a * r["down_entry"] + b * r["across_entry"] + g * r["stretch"]
                          + turned // r["positions"])
                    masks = [[first <= n <= last for n in range(size)] for first, last, size in (
                        (y - (rows + a) * r["pr"], y - (rows + a) * r["pr"] + event["y_jump"],
                         r["pr"]),
                        (x - (cols + b) * r["pc"], x - (cols + b) * r["pc"] + event["x_jump"],
                         r["pc"]))]
                    self._vector(slots, event["value"],
                                 self.sram[weight + g * r["tiles"] - a * r["tiles_across"] - b],
                                 at % wrap, turned % r["positions"], masks)

    def _vector(self, r: dict[str, Any], value: int, weights: np.ndarray, entry: int,
                rotation: int, masks: list[list[bool]]) -> None:
        turn, used = rotation * r["kl"], r["used"]
        for n, slot in enumerate(r["slots"][:used]):
            if slot["used"] and masks[0][slot["row"]] and masks[1][slot["col"]]:
                lane = (n + turn) % used
                at = (entry + slot["step"] + (n + turn >= used)) % (1 << self.config.entry_bits)
                self.sums[at, lane] += value * weights[n]

    def drain(self, registers: dict[str, Any]) -> Iterator[Pixel]:
        """What fires, in order; the sums are zeroed, the biases' sides turn."""
        r, biases = registers["drain"], self.biases[self.side]
        self.side ^= 1
        for group in range(r["groups"]):
            first = r["first"] + group * r["stretch"]
            flat = self.sums[first:first + r["stretch"], :r["used"]].reshape(-1, r["kl"])
            rows = -(-len(flat) // r["pitch"])
            grid = np.zeros((rows * r["pitch"], r["kl"]), np.int64)
            grid[:len(flat)] = flat
            plane = grid.reshape(rows, r["pitch"], r["kl"])[:r["rows"], :r["cols"]]
            channels = min(r["kl"], r["channels"] - group * r["kl"])
            own = slice(group * r["kl"], group * r["kl"] + channels)
            total = plane[..., :channels] + biases[own]
            bits = r["high"].bit_length() + 1
            out = arithmetic.requantise(total, r["shift"], r["multiplier"], bits)
            out = _pooled(r, np.maximum(out, 0) if r["relu"] else out)
            for y, x, k in np.argwhere((out > r["threshold"]) | (
                    (out < -r["threshold"]) & (not r["relu"]))).tolist():
                yield (int(out[y, x, k]), r["first_channel"] + group * r["kl"] + k,
                       r["first_row"] + y, x)
        self.sums[r["first"]:r["first"] + r["groups"] * r["stretch"]] = 0


def _pooled(r: dict[str, Any], plane: np.ndarray) -> np.ndarray:
    """Windows of a band [rows, cols, channels]."""
    if not r["pool"]:
        return plane
    out = np.zeros((r["pool_rows"], r["pool_cols"], plane.shape[2]), np.int64)
    for y in range(r["pool_rows"]):
        for x in range(r["pool_cols"]):
            top, left = y * r["pool_step"] - r["pool_top"], x * r["pool_step"] - r["pool_left"]
            cells = plane[max(top, 0):top + r["pool_size"], max(left, 0):left + r["pool_size"]]
            cells = cells.reshape(-1, plane.shape[2])
            if r["pool"] == 1:
                out[y, x] = cells.max(axis=0)
            else:
                padded = np.zeros((r["pool_size"], r["pool_size"], plane.shape[2]), np.int64)
                padded.reshape(-1, plane.shape[2])[:len(cells)] = cells
                average = Pool(kind="avg", k=r["pool_size"], s=1)
                out[y, x] = arithmetic.pool_plane(padded.transpose(2, 0, 1), average)[:, 0, 0]
    return out


@dataclass
class Side:
    """A side of the storage, and what of its map went to memory."""

    keep: bool = False
    row_events: int = 0
    rows: list[list[list[Pixel]]] = field(default_factory=list)     # [row][bank]
    spilled: list[Pixel] = field(default_factory=list)
    store_addr: int = 0
    store_lines: int = 0


class Machine:
    """Runs the descriptors of an image that begins at address `base`. ValueError for what is no
    program."""

    def __init__(self, config: MNFConfig, memory: bytes, base: int = 0) -> None:
        self.config, self.memory, self.base = config, bytearray(memory), base
        self.pes = [PE(config) for _ in range(config.pes)]
        self.reading, self.writing = Side(), Side()

    def run(self, at: int, count: int) -> bytes:
        """The memory after `count` descriptors from address `at` on."""
        size = image.descriptor_bytes(self.config)
        for n in range(count):
            first = at - self.base + n * size
            self._pass(image.unpack_descriptor(
                self.config, bytes(self.memory[first:first + size])))
        return bytes(self.memory)

    def _lines(self, at: int, count: int) -> np.ndarray:
        return lines_at(self.config, bytes(self.memory), at - self.base, count)

    def _pass(self, d: dict[str, Any]) -> None:
        for line in self._lines(d["setup_addr"], d["setup_lines"]):
            one = image.unpack(fields.flit_line_fields(self.config),
                               int.from_bytes(line.tobytes(), "little"))
            if not 0 < one["count"] <= fields.flits_per_line(self.config):
                raise ValueError(f"a line of {one['count']} flits")
            for pe in self._of(one["dest"]):
                for payload in one["payloads"][:one["count"]]:
                    pe.take(one["kind"], payload)
        if d["first"]:
            self._turn(d)
        registers = {id(pe): pe.registers for pe in self.pes}
        for pixel in self._map(d):
            for target in d["generator"]["targets"]:
                event = _event(d["generator"], target, pixel)
                if event:
                    for pe in self._of(target["dest"]):
                        pe.event(registers[id(pe)], event)
        for pe in self._of(d["fires"]):
            if not registers[id(pe)]["fires"]:
                raise ValueError("a PE that does not fire is waited for")
            for fired in pe.drain(registers[id(pe)]):
                self._store(self.pes.index(pe), fired)
        if d["last"]:
            self._finish(self.writing)

    def _of(self, dest: int) -> list[PE]:
        if dest & 1 or dest >> self.config.nodes:
            raise ValueError(f"nodes {dest:#b}: must be PEs")
        return [pe for n, pe in enumerate(self.pes) if dest >> n + 1 & 1]

    def _turn(self, d: dict[str, Any]) -> None:
        self._finish(self.writing)
        if d["keep"] and d["out_rows"] * d["row_events"] > self.config.storage_events:
            raise ValueError("out_rows · row_events must be at most storage_events")
        rows: list[list[list[Pixel]]] = [[[] for _ in range(self.config.ports)]
                                         for _ in range(d["out_rows"])]
        self.reading, self.writing = self.writing, Side(
            bool(d["keep"]), d["row_events"], rows, [], d["store_addr"], d["store_lines"])

    def _store(self, pe: int, pixel: Pixel) -> None:
        row = (pe + 1) // self.config.mesh_cols
        port = next(p for p in range(self.config.ports)
                    if row < (p + 1) * self.config.mesh_rows // self.config.ports)
        side = self.writing
        bank = side.rows[pixel[2]][port]
        if side.keep and len(bank) < side.row_events:
            bank.append(pixel)
        else:
            side.spilled.append(pixel)

    def _finish(self, side: Side) -> None:
        """What went to memory is there."""
        if not side.rows or (side.keep and not side.spilled):
            return
        rows = np.array(side.spilled, np.int64).reshape(-1, 4)
        lines = image.pixel_lines(self.config, Pixels(*rows.T), end=True)
        if len(lines) > side.store_lines:
            raise ValueError(f"{len(lines)} lines do not fit the {side.store_lines} of the region")
        at = side.store_addr - self.base
        self.memory[at:at + lines.size] = lines.tobytes()

    def _map(self, d: dict[str, Any]) -> list[Pixel]:
        """The pixels that a pass replays."""
        if d["from_memory"]:
            pixels = image.read_pixels(self.config, self._lines(d["map_addr"], d["map_lines"]))[0]
            return list(zip(*(getattr(pixels, n).tolist() for n in ("value", "channel", "y", "x")),
                            strict=True))
        rows = self.reading.rows[d["first_row"]:d["last_row"] + 1]
        return [p for row in rows for bank in row for p in bank] + self.reading.spilled


def _event(g: dict[str, Any], target: dict[str, int], pixel: Pixel) -> dict[str, int] | None:
    """What the generator forms for a target; None if the pixel reaches nothing of it."""
    value, channel, *at = pixel
    if not target["dest"] or not target["first_channel"] <= channel <= target["last_channel"]:
        return None
    found = []
    for place, axis, (low, high) in zip(
            at, (g["rows"], g["cols"]),
            ((target["first_row"], target["last_row"]), (0, g["cols"]["out"])), strict=True):
        position, phase = divmod(place + axis["pad"], g["stride"])
        taps = axis["taps"] + (phase < axis["more"])
        first, last = max(low, position - taps + 1), min(high, position)
        if first > last or not taps:
            return None
        found.append((phase, first - low, position - first, last - first))
    (py, y, tap_row, y_jump), (px, x, tap_col, x_jump) = found
    return {"value": value, "tap_row": tap_row, "tap_col": tap_col, "y_jump": y_jump,
            "x_jump": x_jump, "neuron": y * g["pitch"] + x,
            "channel": (channel - target["first_channel"]) * g["phases"] + py * g["phase_cols"]
            + px}
