"""AXI4 and AXI4-Lite as Amaranth signatures.

A port ``memory = Out(AXI4Signature(...))`` flattens to ``memory__aw__payload__addr``,
``memory__aw__valid``, ``memory__aw__ready``, and so on for the channels aw, w, b, ar, r. Both
signatures are the master's view: a slave declares ``In(...)``.
"""
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

OKAY, EXOKAY, SLVERR, DECERR = range(4)
INCR = 1
PAGE = 4096            # bytes; no burst crosses a multiple of it


class ChannelSignature(wiring.Signature):
    """One channel: a stream whose payload is spread over one port per field.

    Parameters
    ----------
    fields : dict of str to ShapeLike

    Members
    -------
    payload : Out(wiring.Signature)
        One member per field. Held while ``valid`` is high and ``ready`` low.
    valid : Out(1)
    ready : In(1)
    """
    def __init__(self, fields):
        self.fields = dict(fields)
        super().__init__({
            "payload": Out(wiring.Signature({k: Out(v) for k, v in self.fields.items()})),
            "valid": Out(1),
            "ready": In(1),
        })


def check_data_bits(data_bits):
    """Raise ValueError unless ``data_bits`` is a width that AXI4 allows here (64 to 1024)."""
    if data_bits not in (64, 128, 256, 512, 1024):
        raise ValueError(f"data_bits must be 64, 128, 256, 512 or 1024, not {data_bits}")


def _address(addr_bits, id_bits):
    return ChannelSignature({"id": id_bits, "addr": addr_bits, "len": 8, "size": 3, "burst": 2,
                             "cache": 4, "prot": 3})


class AXI4Signature(wiring.Signature):
    """A full AXI4 bus, seen from the master.

    Parameters
    ----------
    addr_bits : int
        1 to 64.
    data_bits : int
        64, 128, 256, 512 or 1024.
    id_bits : int
        At least 1. The masters here use ID 0 only, so responses come in order.

    Members
    -------
    aw, ar : Out(ChannelSignature)
        id, addr (bytes), len (beats - 1), size, burst, cache, prot.
    w : Out(ChannelSignature)
        data, strb, last.
    b : In(ChannelSignature)
        id, resp.
    r : In(ChannelSignature)
        id, data, resp, last.
    """
    def __init__(self, addr_bits, data_bits, id_bits=1):
        check_data_bits(data_bits)
        if not 1 <= addr_bits <= 64:
            raise ValueError(f"addr_bits must be 1 to 64, not {addr_bits}")
        if id_bits < 1:
            raise ValueError(f"id_bits must be at least 1, not {id_bits}")
        self.addr_bits, self.data_bits, self.id_bits = addr_bits, data_bits, id_bits
        super().__init__({
            "aw": Out(_address(addr_bits, id_bits)),
            "w": Out(ChannelSignature({"data": data_bits, "strb": data_bits // 8, "last": 1})),
            "b": In(ChannelSignature({"id": id_bits, "resp": 2})),
            "ar": Out(_address(addr_bits, id_bits)),
            "r": In(ChannelSignature({"id": id_bits, "data": data_bits, "resp": 2, "last": 1})),
        })


class AXI4LiteSignature(wiring.Signature):
    """An AXI4-Lite bus, seen from the master.

    Parameters
    ----------
    addr_bits : int
    data_bits : int
        32.

    Members
    -------
    aw, ar : Out(ChannelSignature)
        addr (bytes), prot.
    w : Out(ChannelSignature)
        data, strb.
    b : In(ChannelSignature)
        resp.
    r : In(ChannelSignature)
        data, resp.
    """
    def __init__(self, addr_bits=12, data_bits=32):
        if data_bits != 32:
            raise ValueError(f"data_bits of AXI4-Lite must be 32, not {data_bits}")
        self.addr_bits, self.data_bits = addr_bits, data_bits
        super().__init__({
            "aw": Out(ChannelSignature({"addr": addr_bits, "prot": 3})),
            "w": Out(ChannelSignature({"data": data_bits, "strb": data_bits // 8})),
            "b": In(ChannelSignature({"resp": 2})),
            "ar": Out(ChannelSignature({"addr": addr_bits, "prot": 3})),
            "r": In(ChannelSignature({"data": data_bits, "resp": 2})),
        })
