# Ref: Yang et al., "S2 Engine", Fig. 4.
from hw.common.axi.shell import Shell
from hw.common.stationary.engine import COUNTERS, Engine
from hw.common.stationary.layouts import descriptor_layout

from .config import S2Config
from .core import Core

IDENTIFICATION = 0x5C44_0003
VERSION = 1


class Top(Shell):
    """S² Engine with its bus: AXI4-Lite ``control``, AXI4 ``memory``, ``irq``.

    Runs a list of passes (``hw/common/stationary/descriptor.py``) out of memory. Counters:
    PE-cycles by cause, groups and tokens read from the buffers.

    Parameters
    ----------
    cfg : S2Config
    """

    def __init__(self, cfg: S2Config):
        self.cfg = cfg
        super().__init__(Engine(cfg, Core), descriptor_layout(cfg), counters=COUNTERS,
                         identification=IDENTIFICATION, version=VERSION, addr_bits=cfg.addr_bits,
                         data_bits=cfg.memory_bits)
