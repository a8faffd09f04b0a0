# Ref: Zhou et al., "Cambricon-S", MICRO 2018, section V.
from hw.common.axi.shell import Shell

from .config import CambriconSConfig
from .engine import COUNTERS, Engine
from .layouts import descriptor_layout

IDENTIFICATION = 0x5C44_0002
VERSION = 1
BURST = 16          # beats of a burst at most
IN_FLIGHT = 8       # bursts under way at most, each way


class Top(Shell):
    """Cambricon-S with its bus: AXI4-Lite ``control``, AXI4 ``memory``, ``irq``.

    Runs a list of programs (``instruction.py``) out of memory, one descriptor each. Counters:
    PE-cycles by cause, what was issued, beats of each buffer.

    Parameters
    ----------
    cfg : CambriconSConfig
    """

    def __init__(self, cfg: CambriconSConfig):
        self.cfg = cfg
        super().__init__(Engine(cfg), descriptor_layout(), counters=COUNTERS,
                         identification=IDENTIFICATION, version=VERSION, addr_bits=cfg.addr_bits,
                         data_bits=cfg.memory_bits, max_burst=BURST, outstanding=IN_FLIGHT,
                         strobes=True)
