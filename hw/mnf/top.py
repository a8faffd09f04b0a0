# Ref: Yu et al., "Multiply-and-Fire", Section 5.1.
from hw.common.axi.shell import Shell

from .config import MNFConfig
from .engine import Engine, counters
from .layouts import descriptor_layout

IDENTIFICATION = 0x5C44_0004
VERSION = 1


class Top(Shell):
    """MNF with its bus: AXI4-Lite ``control``, AXI4 ``memory``, ``irq``.

    Runs a list of passes (`fields.descriptor_fields`) out of memory. Counters: PE-cycles by cause,
    multiplications, pixels and events, busy cycles of each PE.

    Parameters
    ----------
    cfg : MNFConfig
    """

    def __init__(self, cfg: MNFConfig):
        self.cfg = cfg
        super().__init__(Engine(cfg), descriptor_layout(cfg), counters=counters(cfg),
                         identification=IDENTIFICATION, version=VERSION, addr_bits=cfg.addr_bits,
                         data_bits=cfg.memory_bits)
