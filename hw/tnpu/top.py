# Ref: Li et al., "TNPU", ASP-DAC 2019, Fig. 4.
from hw.common.axi.shell import Shell

from .config import BURST, IN_FLIGHT, TNPUConfig
from .engine import COUNTERS, Engine
from .layouts import descriptor_layout

IDENTIFICATION = 0x5C44_0005
VERSION = 1


class Top(Shell):
    """TNPU with its bus: AXI4-Lite ``control``, AXI4 ``memory``, ``irq``.

    Runs a list of programs (``instruction.py``) out of memory, one descriptor each. Counters:
    PE-cycles by cause, cycles of the units, NaNs written.

    Parameters
    ----------
    cfg : TNPUConfig
    """

    def __init__(self, cfg: TNPUConfig):
        self.cfg = cfg
        super().__init__(Engine(cfg), descriptor_layout(), counters=COUNTERS,
                         identification=IDENTIFICATION, version=VERSION, addr_bits=cfg.addr_bits,
                         data_bits=cfg.memory_bits, max_burst=BURST, outstanding=IN_FLIGHT,
                         write_buffer=BURST * IN_FLIGHT)
