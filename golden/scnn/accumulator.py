"""Cycle-exact model of the accumulators, for lockstep comparison (see `golden.streams`)."""
import numpy as np

from hw.scnn.config import SCNNConfig


class Accumulators:
    """Two arrays ``[entries, banks]`` of sums; without streams.

    Inputs are dictionaries as ``hw/scnn/accumulator.py`` names them, in ``self.now``.
    """

    inputs, outputs = (), ()

    def __init__(self, config: SCNNConfig):
        self.config = config
        self.sums = np.zeros((2, config.acc_entries, config.acc_banks), np.int64)
        self.conflicts = 0

    def reset(self):
        """The sums stay."""

    def place(self, address):
        """Entry and bank of an address."""
        bits = self.config.bank_bits
        return address >> bits, (address ^ address >> bits) % self.config.acc_banks

    def _conflict(self):
        send, receive = self.now["send"], self.now["receive"]
        return bool(send["enable"] and receive["enable"]
                    and self.place(send["address"])[1] == self.place(receive["address"])[1])

    def look(self, offered, ready):
        now, conflict = self.now, self._conflict()
        signals = {"conflict": conflict}
        if now["send"]["enable"] and not conflict and not now["clear"]:
            sums = self.sums[1 - now["select"]]
            signals["sum"] = (int(sums[self.place(now["send"]["address"])])
                              % (1 << self.config.acc_bits))
        self.conflicts += conflict
        return {}, {}, signals

    def step(self, offered, ready):
        now = self.now
        fills, drains = self.sums[now["select"]], self.sums[1 - now["select"]]
        for bank, (valid, entry, value) in enumerate(now["fill"]):
            if valid:
                fills[entry, bank] += value
        send, receive = now["send"], now["receive"]
        if now["clear"]:
            drains[now["clear_entry"]] = 0
            return
        if send["enable"] and send["zero"] and not self._conflict():
            drains[self.place(send["address"])] = 0
        if receive["enable"]:
            drains[self.place(receive["address"])] += receive["value"]
