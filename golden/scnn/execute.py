"""Runs an image in plain NumPy as the README says, step by step: no cycles, only what happens.

It reads nothing but the image: descriptors, lines, windows, halos hop by hop, copies for pooling,
the PPU, stores. What the hardware refuses, and what would be a fault of `compile`, is a ValueError.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from golden.layers import wrap
from golden.scnn import decode, layout, ppu
from golden.scnn.activations import _place, empty_lines
from golden.scnn.program import ALL, BIAS, ROW, WEIGHT, LineTable, Program, Segment
from hw.scnn.config import SCNNConfig

Ram = dict[int, list[list[tuple[int, int]]]]        # channel to rows of (value, run)


def run(program: Program) -> list[bytes]:
    """The memory after each segment."""
    return [execute(segment, program.config) for segment in program.segments]


def execute(segment: Segment, config: SCNNConfig) -> bytes:
    """The memory after the segment's descriptors ran."""
    memory = bytearray(segment.image)
    machine = Machine(config)
    for fields in decode.descriptors(segment.image, segment.base, segment.desc_addr,
                                     segment.desc_count, config):
        machine.layer(fields, memory, segment.base)
    return bytes(memory)


def _rule(good: bool, text: str) -> None:
    if not good:
        raise ValueError(text)


class Machine:
    """The PE array: activation RAMs and accumulators. State between layers is the input RAMs."""

    def __init__(self, config: SCNNConfig) -> None:
        self.config = config
        self.inputs: list[Ram] = [{} for _ in range(config.pes)]
        self.outputs: list[Ram] = []
        self.sums = np.zeros((config.pes, config.acc_depth), np.int64)
        self.biases: list[int] = []
        self.d: dict[str, Any] = {}

    def layer(self, fields: dict[str, Any], memory: bytearray, base: int) -> None:
        """One descriptor."""
        self.d, config = fields, self.config
        _rule(0 < fields["kc"] <= config.max_kc and 0 < fields["kc_last"] <= fields["kc"],
              "kc must be 1 to max_kc")
        _rule(0 < fields["window_sums"] <= config.acc_depth, "the window must fit")
        _rule(0 < fields["kernel_rows"] <= config.max_kernel, "kernel_rows must be in range")
        _rule(fields["out_channels"] <= config.max_channels, "out_channels must be in range")
        self.outputs = [{} for _ in range(config.pes)]
        image = bytes(memory)
        if fields["load"]:
            self._load(decode.section(image, base, fields["load_addr"], fields["load_lines"],
                                      config))
        weights = decode.section(image, base, fields["weight_addr"], fields["weight_lines"],
                                 config)
        ends = np.flatnonzero(weights.end_group)
        _rule(len(ends) == fields["groups"], "weight lines must end every group")
        _rule(ends[-1] == weights.lines - 1, "the last weight line must end a group")
        begin = 0
        for group, end in enumerate(ends.tolist()):
            self._group(LineTable(*(part[begin:end + 1] for part in weights[:-1]),  # type: ignore[misc]
                                  bias=weights.bias), group, self._bias_rows(weights, begin))
            self._drain(group)
            begin = end + 1
        if fields["store"]:
            self._store(memory, base)
        self.inputs = self.outputs

    def _load(self, table: LineTable) -> None:
        config = self.config
        _rule(bool(table.end_section[-1]) and not table.end_section[:-1].any(),
              "the last load line, and only it, must end the section")
        self.inputs = [{} for _ in range(config.pes)]
        _rule(not np.isin(table.kind, (WEIGHT, BIAS)).any(), "load lines must hold rows")
        for pe, channel, first, last, value, run in zip(*decode.slots(table, ROW), strict=True):
            _rule(pe < config.pes, "a row must be for a PE")
            _rule(channel < config.max_channels, "a channel must be below max_channels")
            ram = self.inputs[pe]
            _rule(bool(first) == (int(channel) not in ram), "a channel's rows must be together")
            row = list(zip(value.tolist(), run.tolist(), strict=True))[:config.mults_i]
            ram.setdefault(int(channel), []).append(row)
            _rule(not last or list(ram)[-1] == channel, "a channel's rows must be together")
        for ram in self.inputs:
            self._fits(ram)

    def _fits(self, ram: Ram) -> None:
        rows = sum(len(block) for block in ram.values())
        _rule(rows <= self.config.ram_rows, f"a PE's rows must be at most {self.config.ram_rows}, "
              f"not {rows}")

    # Products

    def _bias_rows(self, weights: LineTable, begin: int) -> int:
        """BIAS slots before line `begin`."""
        return int(np.count_nonzero(weights.kind[:begin] == BIAS))

    def _group(self, table: LineTable, group: int, bias_at: int) -> None:
        config, d = self.config, self.d
        n = int(np.count_nonzero(table.kind == BIAS))
        _rule(n == -(-d["kc"] // config.biases_per_slot), "a group must have all its biases")
        self.biases = table.bias[bias_at:bias_at + n].reshape(-1).tolist()
        _rule(not (table.kind == ROW).any(), "weight lines must not hold rows")
        self._spans(table)
        target, channel, _, position, value = decode.blocks(table._replace(
            end_group=np.zeros(table.lines, bool)), WEIGHT, config.mults_f)
        size = d["kernel_rows"] * d["kernel_row"]
        _rule((position < size).all(), "weights must be in the kernel")
        offset = position + position // d["kernel_row"] * d["kernel_gap"]
        cuts = np.flatnonzero((np.diff(channel) != 0) | (np.diff(target) != 0)) + 1
        bounds = [0, *cuts.tolist(), len(channel)] if len(channel) else []
        for a, b in pairwise(bounds):
            for pe in range(config.pes) if target[a] == ALL else [int(target[a])]:
                self._products(pe, int(channel[a]), offset[a:b], value[a:b])

    def _spans(self, table: LineTable) -> None:
        """No block may span more lines than the FIFO holds."""
        line, slot = np.nonzero(table.kind == WEIGHT)
        first, last = table.first[line, slot], table.last[line, slot]
        lengths = line[last] - line[first] + 1
        _rule((lengths <= self.config.fifo_lines).all(), "a block must fit into the FIFO")

    def _products(self, pe: int, channel: int, offset: np.ndarray, value: np.ndarray) -> None:
        """The Cartesian product of a channel's weights and a PE's activations."""
        block = self.inputs[pe].get(channel)
        if block is None:
            return
        config, d = self.config, self.d
        row, col = divmod(pe, config.pe_cols)
        base = d["rows"][row]["base_sums"] + d["cols"][col]["base_sums"]
        position = np.cumsum([run + 1 for part in block for _, run in part]) - 1
        held = np.array([v for part in block for v, _ in part])
        address = (base + position * d["kc"])[held != 0]
        held = held[held != 0]
        _rule((address < d["window_sums"]).all(), "an activation must lie inside the window")
        where = np.add.outer(offset, address)
        _rule((where < d["window_sums"]).all(), "a product must lie inside the window")
        np.add.at(self.sums[pe], where, np.multiply.outer(value, held) >> d["product_shift"])

    # Drain

    def _drain(self, group: int) -> None:
        config, d = self.config, self.d
        self.sums = wrap(self.sums, config.acc_bits)
        for name in ("left", "right", "up", "down"):
            for _ in range(d[f"hops_{name}"]):
                self._move(name)
        if d["overlap_cols"]:
            self._move("copy_left")
        if d["overlap_rows"]:
            self._move("copy_up")
        kc = d["kc_last"] if group == d["groups"] - 1 else d["kc"]
        for pe in range(config.pes):
            self._emit(pe, kc, group * d["group_channels"])
        self.sums[:, :d["window_sums"]] = 0
        _rule(not self.sums.any(), "sums must lie inside the window")

    def _strip(self, name: str, pe: int) -> tuple[int, int, int, int]:
        """Rows, sums per row, first address sent, first address received."""
        d = self.d
        row, col = (d[a][n]["size_sums"] for a, n in
                    zip(("rows", "cols"), divmod(pe, self.config.pe_cols), strict=True))
        left, origin = d["halo_left_sums"], d["origin"]
        height = d["rows"][pe // self.config.pe_cols]["size"]
        return {
            "left": (d["window_rows"], left, 0, col),
            "right": (d["window_rows"], d["halo_right_sums"], left + col, left),
            "up": (d["halo_up"], col, left, left + row),
            "down": (d["halo_down"], col, origin + row, origin),
            "copy_left": (height, d["overlap_sums"], origin, origin + col),
            "copy_up": (d["overlap_rows"], col + d["overlap_sums"], origin, origin + row),
        }[name]

    def _addresses(self, rows: int, segment: int, first: int) -> np.ndarray:
        d = self.d
        out = (first + np.arange(rows)[:, None] * d["row_stride"] + np.arange(segment)).reshape(-1)
        _rule(first % d["row_stride"] + segment <= d["row_stride"] or not rows,
              "a strip must not wrap around the window")
        _rule((out < d["window_sums"]).all(), "a strip must lie inside the window")
        return out

    def _move(self, name: str) -> None:
        """One step: all PEs send their strips at once."""
        config = self.config
        sent: list[tuple[int, np.ndarray, np.ndarray]] = []
        drow, dcol = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0),
                      "copy_left": (0, -1), "copy_up": (-1, 0)}[name]
        for pe in range(config.pes):
            rows, segment, first, _ = self._strip(name, pe)
            source = self._addresses(rows, segment, first)
            values = self.sums[pe, source].copy()
            if not name.startswith("copy"):
                self.sums[pe, source] = 0
            row, col = divmod(pe, config.pe_cols)
            row, col = row + drow, col + dcol
            if not (0 <= row < config.pe_rows and 0 <= col < config.pe_cols):
                continue
            to = row * config.pe_cols + col
            theirs = self._strip(name, to)
            _rule(theirs[:2] == (rows, segment), "both ends of a link must move the same sums")
            sent.append((to, self._addresses(rows, segment, theirs[3]), values))
        for to, target, values in sent:
            self.sums[to, target] += values
        self.sums = wrap(self.sums, config.acc_bits)

    def _emit(self, pe: int, kc: int, channel: int) -> None:
        config, d = self.config, self.d
        row, col = divmod(pe, config.pe_cols)
        half = 1 << (config.acc_bits - 1)

        def total(y: int, x: int, k: int) -> int:
            _rule(y < d["window_rows"] and x < d["pitch"], "a sum must be in the window")
            return int(self.sums[pe, (y * d["pitch"] + x) * d["kc"] + k])

        made, _ = ppu.drain(total, self.biases, d, d["rows"][row], d["cols"][col], kc=kc,
                            channel=channel, wrap=lambda v: (v + half) % (2 * half) - half)
        for where, samples in made.items():
            _rule(where < d["out_channels"], "a channel must be below out_channels")
            rows = ppu.encode(samples, config.index_bits, config.mults_i)
            if rows:
                self.outputs[pe][where] = rows
        self._fits(self.outputs[pe])

    # Store

    def _store(self, memory: bytearray, base: int) -> None:
        config, d = self.config, self.d
        lines = [self._lines(pe) for pe in range(config.pes)]
        table = empty_lines(sum(part.lines for part in lines) + 1, config)
        at = 0
        for part in lines:
            for mine, theirs in zip(table[:-1], part[:-1], strict=True):
                mine[at:at + part.lines] = theirs
            at += part.lines
        table.end_section[-1] = True
        _rule(table.lines <= d["store_lines"], f"a store must be at most {d['store_lines']} lines, "
              f"not {table.lines}")
        data = layout.pack(table, config).tobytes()
        memory[d["store_addr"] - base:d["store_addr"] - base + len(data)] = data

    def _lines(self, pe: int) -> LineTable:
        """One PE's output RAM as lines."""
        config = self.config
        rows = [(channel, n == 0, n == len(block) - 1, row)
                for channel, block in sorted(self.outputs[pe].items())
                for n, row in enumerate(block)]
        line, slot = _place(np.zeros(len(rows), np.int64), np.array([r[0] for r in rows], np.int64),
                            config.weight_bus)
        table = empty_lines(int(line[-1]) + 1 if rows else 0, config)
        table.target[:] = pe
        for a, b, (channel, first, last, row) in zip(line, slot, rows, strict=True):
            table.kind[a, b], table.channel[a, b:] = ROW, channel
            table.first[a, b], table.last[a, b] = first, last
            table.value[a, b, :config.mults_i] = [v for v, _ in row]
            table.run[a, b, :config.mults_i] = [r for _, r in row]
        return table
