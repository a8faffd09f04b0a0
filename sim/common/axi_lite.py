"""An AXI4-Lite master for benches: one access at a time, through flattened Amaranth ports."""

from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time


class LiteMaster:
    """Reads and writes 32-bit registers through the ports ``<prefix>__aw__valid`` and so on.

    Drives as `sim.common.bench` does. ``taken`` is the time (ns) of the edge at which the last
    access's data beat (write) or address (read) was taken.
    """

    def __init__(self, dut, prefix="control"):
        self.clk, self.taken = dut.clk, None
        self._channels = {
            channel: {part: getattr(dut, f"{prefix}__{channel}__{part}", None)
                      for part in ("valid", "ready", "payload__addr", "payload__data",
                                   "payload__strb", "payload__resp")}
            for channel in ("aw", "w", "b", "ar", "r")}

    async def write(self, offset, value):
        """Writes all four bytes; returns the response (0: OKAY)."""
        aw, w, b = (self._channels[c] for c in ("aw", "w", "b"))
        aw["payload__addr"].value = offset
        w["payload__data"].value = value & 0xffffffff
        w["payload__strb"].value = 15
        pending = [aw, w]
        for channel in pending:
            channel["valid"].value = 1
        while pending:
            await RisingEdge(self.clk)
            for channel in [c for c in pending if int(c["ready"].value)]:
                channel["valid"].value = 0
                pending.remove(channel)
                if channel is w:
                    self.taken = get_sim_time("ns")
        return await self._answer(b, None)

    async def read(self, offset):
        """Returns (value, response)."""
        ar, r = self._channels["ar"], self._channels["r"]
        ar["payload__addr"].value = offset
        ar["valid"].value = 1
        await RisingEdge(self.clk)
        while not int(ar["ready"].value):
            await RisingEdge(self.clk)
        ar["valid"].value = 0
        self.taken = get_sim_time("ns")
        return await self._answer(r, "payload__data")

    async def _answer(self, channel, data):
        channel["ready"].value = 1
        await RisingEdge(self.clk)
        while not int(channel["valid"].value):
            await RisingEdge(self.clk)
        channel["ready"].value = 0
        response = int(channel["payload__resp"].value)
        return response if data is None else (int(channel[data].value), response)
