"""The flits of a PE's pass."""
from dataclasses import asdict

from golden.mnf.events import Event, Pixels, generate
from golden.mnf.fire import drain_setting
from golden.mnf.geometry import Geometry
from golden.mnf.passes import words
from golden.mnf.settings import dispatch_setting, load_setting
from hw.mnf.fields import CONFIG_BITS, WEIGHT_POINTER, Kind, payload_bits
from hw.mnf.layouts import config_layout, event_layout, flit_layout, pass_layout
from sim.mnf.cases import packer


def events_of(layer, tensors, share):
    """The events of a share, in the order of the layer's pixels."""
    first = share.group * (layer.c // layer.groups)
    pixels = Pixels.of(tensors.activations).channels(first + share.c[0], first + share.c[1])
    rows = generate(pixels, Geometry.of(layer), share.band, share.lanes.pitch)
    return [Event(*row) for row in rows.tolist()]


class Flits:
    """Makes flits for the nodes in `dest`."""

    def __init__(self, cfg, dest):
        self.cfg, self.dest = cfg, dest
        self.pack, self.event = packer(flit_layout(cfg)), packer(event_layout(cfg))

    def flit(self, kind, payload=0):
        return self.pack({"dest": self.dest, "kind": kind, "payload": payload})

    def config(self, kind, address, value):
        return self.flit(kind, packer(config_layout())({"address": address, "value": value}))

    def registers(self, layer, share, *, fires, waits, base, threshold):
        fields = {"fires": fires, "waits": waits,
                  "load": load_setting(share.lanes, self.cfg, base),
                  "dispatch": dispatch_setting(share.lanes, self.cfg),
                  "drain": drain_setting(share, layer, threshold, base)}
        value, size = packer(pass_layout(self.cfg))(fields), pass_layout(self.cfg).size
        return [self.config(Kind.CONFIG, n, value >> at & (1 << CONFIG_BITS) - 1)
                for n, at in enumerate(range(0, size, CONFIG_BITS))]

    def weights(self, layer, tensors, share):
        cfg, bits = self.cfg, payload_bits(self.cfg)
        flits = [self.config(Kind.CONFIG, WEIGHT_POINTER, 0)]
        for word in words(share, layer, tensors.weights, cfg.lanes).tolist():
            joined = sum((w & (1 << cfg.data_bits) - 1) << cfg.data_bits * n
                         for n, w in enumerate(word))
            flits += [self.flit(Kind.WEIGHT, joined >> bits * n & (1 << bits) - 1)
                      for n in range(3)]
        return flits

    def biases(self, layer, tensors, share):
        first = share.group * (layer.k // layer.groups) + share.k[0]
        return [self.config(Kind.BIAS, n, 0 if tensors.bias is None
                            else int(tensors.bias[first + n]))
                for n in range(share.k[1] - share.k[0])]

    def events(self, layer, tensors, share):
        return [self.flit(Kind.EVENT, self.event(asdict(e)))
                for e in events_of(layer, tensors, share)] + [self.flit(Kind.END)]

    def whole(self, layer, tensors, share, *, waits, base, threshold):
        """A pass: registers, weights, biases, events, the end."""
        return [*self.registers(layer, share, fires=share.fires, waits=waits, base=base,
                                threshold=threshold),
                *self.weights(layer, tensors, share), *self.biases(layer, tensors, share),
                *self.events(layer, tensors, share)]
