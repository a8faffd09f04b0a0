"""Cycle-exact model of the AXI4-Lite register file, for lockstep comparison (golden/streams.py)."""

OKAY, SLVERR = 0, 2


class LiteRegs:
    """Registers behind the channels ``bus__aw``, ``bus__w``, ``bus__b``, ``bus__ar``, ``bus__r``.

    registers : dicts with ``name``, ``offset``, ``access``, ``width``, ``init``, ``lockable``
    """
    inputs = ("bus__aw", "bus__w", "bus__ar")
    outputs = ("bus__b", "bus__r")

    def __init__(self, registers):
        self.registers = {r["offset"]: r for r in registers}
        self.reset()

    def reset(self):
        self.values = {r["name"]: 0 if r["access"] == "pulse" else r["init"]
                       for r in self.registers.values() if r["access"] != "ro"}
        self.response = self.answer = None      # what waits at B and R

    def _writes(self, offered):
        return (offered["bus__aw"] is not None and offered["bus__w"] is not None
                and self.response is None)

    def look(self, offered, ready):
        writes = self._writes(offered)
        taken = {"bus__aw": writes, "bus__w": writes, "bus__ar": self.answer is None}
        return taken, {"bus__b": self.response, "bus__r": self.answer}, dict(self.values)

    def step(self, offered, ready):
        before = dict(self.values)
        self._write(offered, ready)
        self._read(offered, ready, before)

    def _write(self, offered, ready):
        for register in self.registers.values():
            if register["access"] == "pulse":
                self.values[register["name"]] = 0
        target = None
        if self._writes(offered):
            target = self.registers.get(offered["bus__aw"]["addr"])
            if target is not None and (target["access"] == "ro"
                                       or (target["lockable"] and offered["lock"])):
                target = None
            self.response = {"resp": SLVERR if target is None else OKAY}
        elif ready["bus__b"]:
            self.response = None
        if target is not None:
            self._update(target, **offered["bus__w"])
        for register in self.registers.values():
            if register["access"] == "w1c":
                self.values[register["name"]] |= offered[f"{register['name']}_set"]

    def _update(self, register, data, strb):
        name, width = register["name"], (1 << register["width"]) - 1
        mask = sum(0xff << 8 * k for k in range(4) if strb >> k & 1)
        if register["access"] == "rw":
            self.values[name] = (self.values[name] & ~mask | data & mask) & width
        elif register["access"] == "w1c":
            self.values[name] &= ~(data & mask)
        else:
            self.values[name] = data & mask & width

    def _read(self, offered, ready, values):
        if offered["bus__ar"] is not None and self.answer is None:
            register = self.registers.get(offered["bus__ar"]["addr"])
            self.answer = {"data": 0, "resp": SLVERR if register is None else OKAY}
            if register is not None and register["access"] != "pulse":
                name = register["name"]
                self.answer["data"] = values[name] if name in values else offered[name]
        elif ready["bus__r"]:
            self.answer = None
