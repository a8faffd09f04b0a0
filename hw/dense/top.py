# Ref: Yang et al., "S2 Engine", Fig. 1: the naive systolic array as a whole machine.
from hw.common.axi.shell import Shell
from hw.common.stationary.engine import COUNTERS, Engine
from hw.common.stationary.layouts import descriptor_layout

from .config import NaiveConfig
from .core import SystolicCore

IDENTIFICATION = 0x5C44_0006
VERSION = 1


class Systolic(Shell):
    """The naive array in S² Engine's machine: loader, FB, WB, edges, store, bus and counters are
    the same, the groups in memory hold every channel.

    Parameters
    ----------
    cfg : NaiveConfig
    """

    def __init__(self, cfg: NaiveConfig):
        self.cfg = cfg
        super().__init__(Engine(cfg, SystolicCore), descriptor_layout(cfg), counters=COUNTERS,
                         identification=IDENTIFICATION, version=VERSION, addr_bits=cfg.addr_bits,
                         data_bits=cfg.memory_bits)
