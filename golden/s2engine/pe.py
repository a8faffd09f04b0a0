"""Cycle-exact model of a PE: DS, MAC and RF side by side (see `golden.streams`)."""
from golden.s2engine.ds import DS
from golden.s2engine.mac import MAC
from golden.s2engine.rf import RF
from golden.s2engine.tokens import wrap

MULTIPLY, SELECT, STARVED_W, STARVED_F, DRAIN, BLOCKED = range(6)


class PE:
    """A PE that gets the flows ``w_tokens`` and ``f_tokens``.

    Plain inputs: ``mac_enable`` and ``first``.
    """

    inputs, outputs = ("w_i", "f_i", "r_i"), ("w_o", "f_o", "r_o")

    def __init__(self, w_tokens, f_tokens, config):
        depths = config.w_depth, config.f_depth, config.wf_depth
        self.ds, self.mac, self.rf = DS(w_tokens, f_tokens, depths), MAC(config.acc_bits), RF()

    def reset(self):
        for block in (self.ds, self.mac, self.rf):
            block.reset()

    def _mac(self, offered):
        """The MAC's inputs, and what it shows."""
        pairs = self.ds.fifos["pair"]
        inputs = {"enable": offered["mac_enable"], "room": self.rf.own is None,
                  "i": pairs[0] if pairs else None}
        taken, _, signals = self.mac.look(inputs, {})
        return inputs, taken["i"], signals

    def look(self, offered, ready):
        _, take, mac = self._mac(offered)
        taken, words, ds = self.ds.look(offered, {**ready, "pair": take})
        results, out, _ = self.rf.look({"i": offered["r_i"], "first": offered["first"]},
                                       {"o": ready["r_o"]})
        causes = (ds["multiply"], ds["select"], not ds["w_valid"], not ds["f_valid"],
                  mac["stuck"], True)
        return ({"w_i": taken["w_i"], "f_i": taken["f_i"], "r_i": results["i"]},
                {"w_o": words["w_o"], "f_o": words["f_o"], "r_o": out["o"]},
                {"cause": next(n for n, holds in enumerate(causes) if holds)})

    def step(self, offered, ready):
        inputs, take, mac = self._mac(offered)
        total = wrap(mac["sum"], self.mac.acc_bits) if mac["done"] else None
        self.ds.step(offered, {**ready, "pair": take})
        self.mac.step(inputs, {})
        self.rf.step({"i": offered["r_i"], "first": offered["first"], "done": mac["done"],
                      "sum": total}, {"o": ready["r_o"]})
