"""SCNN, as the common tests see it."""

from golden.scnn import golden
from golden.scnn.compile import compile
from golden.scnn.cycles import cycles
from sim.scnn.run import RTL
from tests.common.harness import Design

SCNN = Design(rtl=RTL, compile=compile, golden=golden.outputs, cycles=cycles,
              refusals=("must fit into", "must hold at most max_channels"))
