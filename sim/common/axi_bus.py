"""The accelerators' AXI ports under the names that cocotbext-axi looks for."""

CHANNELS = ("aw", "w", "b", "ar", "r")


class FlatBus:
    """A view of ``dut`` with ``memory__aw__payload__addr`` as ``memory_awaddr``, and so on.

    For ``AxiBus.from_prefix(FlatBus(dut, "memory"), "memory")`` and AxiLiteBus.
    """
    def __init__(self, dut, prefix):
        self._name, self._log = dut._name, dut._log
        for handle in dut:
            bus, *path = handle._name.split("__")
            if bus == prefix and path and path[0] in CHANNELS:
                setattr(self, f"{prefix}_{path[0]}{path[-1]}", handle)
