"""Instructions: fields by name, loops to jumps, to and from lines in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from golden.formats.bits import pack_record
from golden.formats.lines import check_lines, line_bytes, pack_lines
from golden.tnpu.nest import WIDTHS, jumps
from hw.tnpu.instruction import DESCRIPTOR_FIELDS, FIELDS, INSTRUCTION_BITS, LOOPS, Opcode

WIDTH = dict(FIELDS)


class Loop(NamedTuple):
    """One loop of a nest: how often, and by how much each address and coordinate moves."""

    times: int = 1
    x: int = 0
    w: int = 0
    s: int = 0
    row: int = 0
    col: int = 0


@dataclass
class Instruction:
    """Fields that are not 0. `region` names what the address is an offset into."""

    opcode: Opcode
    fields: dict[str, int] = field(default_factory=dict)
    loops: tuple[Loop, ...] = ()
    region: str = ""
    wait: int = 0
    signal: int = 0

    @property
    def transfer(self) -> bool:
        return self.opcode in (Opcode.LOAD, Opcode.STORE)

    def counts(self) -> list[int]:
        """All six counts, the innermost first."""
        return [loop.times for loop in self.loops] + [1] * (LOOPS - len(self.loops))

    def groups(self) -> tuple[int, int]:
        """Groups, and issues of each."""
        counts, inner = self.counts(), self.fields["inner"]
        return (int(np.prod(counts[inner:], dtype=np.int64)),
                int(np.prod(counts[:inner], dtype=np.int64)))

    def copy(self) -> Instruction:
        return Instruction(self.opcode, dict(self.fields), self.loops, self.region, self.wait,
                           self.signal)


def nest_fields(loops: Sequence[Loop]) -> dict[str, int]:
    """The fields of a nest of at most `LOOPS` loops, innermost first."""
    if len(loops) > LOOPS:
        raise ValueError(f"a nest has at most {LOOPS} loops, not {len(loops)}")
    whole = [*loops, *[Loop()] * (LOOPS - len(loops))]
    turns = [loop.times for loop in whole]
    for times in turns:
        if not 1 <= times < 1 << 16:
            raise ValueError(f"a loop's count must be 1 to 65535, not {times}")
    out = {f"count{i}": times for i, times in enumerate(turns)}
    for name, bits in WIDTHS.items():
        steps = jumps(turns, [getattr(loop, name) for loop in whole], bits)
        out |= {f"jump_{name}{i}": step for i, step in enumerate(steps)}
    return out


def values(one: Instruction, address: int) -> dict[str, int]:
    """Every field's number."""
    out = dict.fromkeys(WIDTH, 0)
    out |= {"opcode": int(one.opcode), "wait": one.wait, "signal": one.signal}
    if one.transfer:
        out["address"] = address
    else:
        out |= nest_fields(one.loops)
    for name, value in one.fields.items():
        if name == "address":
            continue
        signed = name in ("row", "col", "stride", "x", "w", "s")
        low = -(1 << (WIDTH[name] - 1)) if signed else 0
        if not low <= value < 1 << WIDTH[name]:
            raise ValueError(f"{one.opcode.name} {name} must fit {WIDTH[name]} bits, not {value}")
        out[name] = value % (1 << WIDTH[name])
    return out


def pack(fields: dict[str, int], layout: Sequence[tuple[str, int]]) -> bytes:
    """Fields as little-endian bytes."""
    number, at = 0, 0
    for name, bits in layout:
        assert 0 <= fields[name] < 1 << bits, name
        number |= fields[name] << at
        at += bits
    return number.to_bytes(-(-at // 8), "little")


def unpack(body: bytes, layout: Sequence[tuple[str, int]]) -> dict[str, int]:
    """The inverse of `pack`."""
    number, out = int.from_bytes(body, "little"), {}
    for name, bits in layout:
        out[name] = number & ((1 << bits) - 1)
        number >>= bits
    return out


def queue_bytes(words: Sequence[dict[str, int]], memory_bits: int) -> np.ndarray:
    """A queue in memory, uint8."""
    contents = np.frombuffer(b"".join(pack(word, FIELDS) for word in words), np.uint8)
    return pack_lines(contents.reshape(len(words), -1), INSTRUCTION_BITS, memory_bits).reshape(-1)


def read_queue(image: np.ndarray, memory_bits: int) -> list[dict[str, int]]:
    """The inverse of `queue_bytes`; ValueError on a bad CRC."""
    lines = image.reshape(-1, line_bytes(INSTRUCTION_BITS, memory_bits))
    if not check_lines(lines).all():
        raise ValueError("an instruction's CRC is wrong")
    size = -(-INSTRUCTION_BITS // 8)
    return [unpack(bytes(line[:size]), FIELDS) for line in lines]


def instruction_beats(memory_bits: int) -> int:
    return line_bytes(INSTRUCTION_BITS, memory_bits) * 8 // memory_bits


def descriptor_bytes(fields: dict[str, int], memory_bits: int) -> bytes:
    """A descriptor in memory, its CRC included."""
    return pack_record(((name, bits, fields[name]) for name, bits in DESCRIPTOR_FIELDS),
                       memory_bits)
