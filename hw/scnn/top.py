# Ref: Parashar et al., "SCNN", ISCA 2017, Fig. 5.
from hw.common.axi.shell import Shell

from .config import SCNNConfig
from .engine import COUNTERS, Engine
from .layouts import descriptor_layout

IDENTIFICATION = 0x5C44_0001
VERSION = 1


class Top(Shell):
    """SCNN with its bus: AXI4-Lite ``control``, AXI4 ``memory``, ``irq``.

    Runs a list of layers (``descriptor.py``) out of memory. Counters: PE-cycles by cause, products.

    Parameters
    ----------
    cfg : SCNNConfig
    """

    def __init__(self, cfg: SCNNConfig):
        self.cfg = cfg
        super().__init__(Engine(cfg), descriptor_layout(cfg), counters=COUNTERS,
                         identification=IDENTIFICATION, version=VERSION, addr_bits=cfg.addr_bits,
                         data_bits=cfg.memory_bits)
