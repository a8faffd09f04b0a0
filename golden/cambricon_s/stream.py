"""A program being written: slots in an order that needs no look-ahead, then VLIW words.

A slot waits only for slots that stand before it, so that handing out words in order can never lock.
Who fills and uses which side of a buffer is kept here: instances of a buffer alternate sides; the
last user of an instance releases it, which is known when the next one opens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hw.cambricon_s.config import CambriconSConfig
from hw.cambricon_s.instruction import CHOICES

UNITS = ("load", "compute", "store")
TO = {name: n for n, name in enumerate(CHOICES["buffer"])}


@dataclass(eq=False)
class Slot:
    """`after`: slots that must not come in a later word. `checked`: its bytes never change."""

    unit: str
    fields: dict[str, int]
    after: list[Slot] = field(default_factory=list)
    word: int = -1


@dataclass(eq=False)
class Instance:
    """What a side holds for a while: its number, who filled it last, who used it last."""

    number: int
    key: Any
    before: Slot | None         # released what was in this side
    filler: Slot | None = None
    user: Slot | None = None

    @property
    def side(self) -> int:
        return self.number % 2


class Buffer:
    """The two sides of a buffer, and what is in them."""

    def __init__(self, release: str) -> None:
        self.release = release          # the user's flag
        self.open: list[Instance] = []

    @property
    def current(self) -> Instance | None:
        return self.open[-1] if self.open else None

    def new(self, key: Any) -> Instance:
        """The next instance; its predecessor's last user releases it."""
        self.close()
        number = len(self.open)
        before = self.open[number - 2].user if number >= 2 else None
        self.open.append(Instance(number, key, before))
        return self.open[-1]

    def close(self) -> None:
        if self.current and self.current.user:
            self.current.user.fields[self.release] = 1


class Stream:
    """The slots of a program."""

    def __init__(self, cfg: CambriconSConfig) -> None:
        self.cfg = cfg
        self.slots: dict[str, list[Slot]] = {unit: [] for unit in UNITS}
        self.buffers = {name: Buffer(f"release_{name}") for name in ("nbin", "sib", "sb", "book")}
        self.nbout = Buffer("release")

    def fill(self, name: str, instance: Instance, loads: Iterable[dict[str, int]]) -> None:
        """LOADs of a new instance, the first of which acquires the side, the last publishes it."""
        made = [Slot("load", {**fields, "side": instance.side}) for fields in loads]
        made[0].fields["acquire"] = made[-1].fields["publish"] = 1
        if instance.before:
            made[0].after.append(instance.before)
        self.slots["load"] += made
        instance.filler = made[-1]

    def compute(self, fields: dict[str, int], used: dict[str, Instance], sums: Instance) -> None:
        """A COMPUTE that uses the sides of `used` and fills that of `sums`."""
        slot = Slot("compute", dict(fields))
        for name, instance in used.items():
            slot.fields[f"{name}_side"] = instance.side
            instance.user = slot
            assert instance.filler is not None
            slot.after.append(instance.filler)
        slot.fields["nbout_side"] = sums.side
        if sums.filler is None:
            slot.fields["acquire"] = 1
            if sums.before:
                slot.after.append(sums.before)
        sums.filler = slot
        self.slots["compute"].append(slot)

    def store(self, stores: Iterable[dict[str, int]], sums: Instance) -> None:
        """The STOREs of a side of sums that is complete."""
        assert sums.filler is not None
        sums.filler.fields["publish"] = 1
        for fields in stores:
            slot = Slot("store", {**fields, "nbout_side": sums.side}, [sums.filler])
            sums.user = slot
            self.slots["store"].append(slot)
        assert sums.user is not None
        sums.user.fields["release"] = 1

    def words(self) -> list[dict[str, Slot]]:
        """The slots in VLIW words, each as early as it may; loads of IB in the first of each half.

        These are to be given their address and size; their `granules` are the words of the half.
        """
        for buffer in self.buffers.values():
            buffer.close()
        half, out = self.cfg.ib_words // 2, list[dict[str, Slot]]()
        at = dict.fromkeys(UNITS, 0)
        while any(at[unit] < len(self.slots[unit]) for unit in UNITS):
            word: dict[str, Slot] = {}
            if len(out) % half == 0:
                word["load"] = Slot("load", {"to": TO["ib"], "side": (len(out) // half + 1) % 2,
                                             "acquire": 1, "publish": 1})
            for unit in (*UNITS, *UNITS):
                left = self.slots[unit]
                if unit in word or at[unit] == len(left):
                    continue
                if all(0 <= slot.word <= len(out) for slot in left[at[unit]].after):
                    word[unit] = left[at[unit]]
                    word[unit].word = len(out)
                    at[unit] += 1
            assert word, "a slot waits for one that stands behind it"
            out.append(word)
        for n in range(0, len(out), half):
            more = min(half, len(out) - n - half)
            if more > 0:
                out[n]["load"].fields["granules"] = more
            else:
                del out[n]["load"]
        return out
