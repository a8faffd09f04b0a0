"""Runs compiled programs on the naive systolic array's Top: outputs, cycles and counters of
each."""

from golden.s2engine import decode
from hw.common.stationary.engine import CAUSES
from hw.dense.systolic import SystolicPE
from hw.dense.top import Systolic
from sim.common.design import DesignRTL

RTL = DesignRTL("systolic", Systolic, causes=CAUSES, outputs=decode.outputs,
                blocks=lambda config: (SystolicPE,))
