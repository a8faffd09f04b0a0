"""Cycle-exact model of hw/common/counters.py, for lockstep comparison (see golden/streams.py)."""


class CauseCounters:
    """What the sources say in a cycle is counted one cycle later, modulo 2**width."""
    inputs, outputs = (), ()

    def __init__(self, sources, causes, width):
        self.codes = [f"cause__{k}" for k in range(sources)]
        self.causes, self.width = causes, width
        self.reset()

    def reset(self):
        self.pending = [0] * self.causes
        self.count = [0] * self.causes

    def look(self, offered, ready):
        return {}, {}, {f"count__{k}": count for k, count in enumerate(self.count)}

    def step(self, offered, ready):
        if offered["clear"]:
            self.reset()
            return
        self.count = [(count + new) % 2**self.width
                      for count, new in zip(self.count, self.pending, strict=True)]
        said = [offered[name] for name in self.codes] if offered["enable"] else []
        self.pending = [said.count(code) for code in range(self.causes)]
