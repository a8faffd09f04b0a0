"""Assembler and disassembler of Cambricon-S's VLIW words; both read the table in
`hw/cambricon_s/instruction.py`.

A word as text is its slots, each a name and fields, ``load to=sb side=1 address=0x400 | compute
positions=5 dynamic=1``. Fields that are 0 (or the first choice) may be left out, and are left out
by the disassembler; a slot that is left out is not valid. As an integer: the slots in the order of
the table, each its fields and then a bit that says that it is there, lowest bits first.
"""

from __future__ import annotations

from collections.abc import Mapping

from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import CHOICES, INSTRUCTION, field_bits, word_bits

Slots = Mapping[str, Mapping[str, int]]


def encode(slots: Slots, cfg: CambriconSConfig) -> int:
    """Slots with their fields' numbers as one integer. ValueError on what does not exist or fit."""
    for name in slots:
        _known("slot", name, INSTRUCTION)
    word, at = 0, 0
    for slot, fields in INSTRUCTION.items():
        given = dict(slots.get(slot, {}))
        for name, width in fields:
            bits = field_bits(cfg, width)
            value = given.pop(name, 0)
            if not 0 <= value < (len(CHOICES[width]) if isinstance(width, str) else 1 << bits):
                raise ValueError(f"{slot} {name} must be 0 to {(1 << bits) - 1}, not {value}")
            word |= value << at
            at += bits
        for name in given:
            _known(f"{slot} field", name, dict(fields))
        word |= (slot in slots) << at
        at += 1
    return word


def decode(word: int, cfg: CambriconSConfig) -> dict[str, dict[str, int]]:
    """The slots that are there, with all their fields. ValueError if no assembler wrote the word:
    a number that is no choice, bits in a slot that is not there or beyond the word."""
    slots, rest = {}, word
    for slot, fields in INSTRUCTION.items():
        values = {}
        for name, width in fields:
            bits = field_bits(cfg, width)
            values[name] = rest & (1 << bits) - 1
            rest >>= bits
            if isinstance(width, str) and values[name] >= len(CHOICES[width]):
                raise ValueError(f"{slot} {name} must be one of {', '.join(CHOICES[width])}, "
                                 f"not number {values[name]}")
        if rest & 1:
            slots[slot] = values
        elif any(values.values()):
            raise ValueError(f"{slot} must be there where it has fields")
        rest >>= 1
    if rest:
        raise ValueError(f"an instruction must have {word_bits(cfg)} bits, not {word.bit_length()}")
    return slots


def disassemble(word: int, cfg: CambriconSConfig) -> str:
    """A word as text."""
    parts = []
    for slot, values in decode(word, cfg).items():
        widths = dict(INSTRUCTION[slot])
        parts.append(" ".join([slot, *(f"{name}={_text(value, widths[name])}"
                                       for name, value in values.items() if value)]))
    return " | ".join(parts)


def _text(value: int, width: int | str) -> str:
    if isinstance(width, str):
        return CHOICES[width][value]
    return str(value) if value < 1024 else hex(value)


def assemble(text: str, cfg: CambriconSConfig) -> int:
    """A word's text as an integer; ValueError that names what is wrong."""
    slots: dict[str, dict[str, int]] = {}
    for part in filter(None, (p.strip() for p in text.split("|"))):
        slot, *fields = part.split()
        _known("slot", slot, INSTRUCTION)
        if slot in slots:
            raise ValueError(f"{slot} must be there once in a word: {text}")
        widths, values = dict(INSTRUCTION[slot]), {}
        for field in fields:
            name, equals, value = field.partition("=")
            _known(f"{slot} field", name, widths)
            if not equals or name in values:
                raise ValueError(f"{slot} field must be NAME=VALUE, and each once, not {field}")
            values[name] = _number(f"{slot} {name}", value, widths[name])
        slots[slot] = values
    return encode(slots, cfg)


def _number(thing: str, text: str, width: int | str) -> int:
    if isinstance(width, str):
        if text not in CHOICES[width]:
            raise ValueError(f"{thing} must be one of {', '.join(CHOICES[width])}, not {text}")
        return CHOICES[width].index(text)
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{thing} must be a whole number, not {text}") from None


def _known(thing: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise ValueError(f"{thing} must be one of {', '.join(known)}, not {name}")
