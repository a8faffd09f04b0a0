"""To a bound: the DMA's streams keep their contract and no address leaves the window."""
import pytest

from hw.common.axi.dma import Reader, Writer
from sim.common import proofs
from sim.common.formal import ProofFailed, prove

SMALL = {"beats_bits": 4, "max_burst": 3, "outstanding": 2, "buffer": 4}
BOUND = 10


@pytest.mark.parametrize("cls", [Reader, Writer])
def test_no_address_outside_the_window(cls):
    prove(cls(14, 64, **SMALL), f"dma_{cls.__name__.lower()}", properties=proofs.dma, bound=BOUND,
          cover_depth=0)


class Careless(Reader):
    """Takes no notice of pages."""
    def _beat_index(self, address):
        return super()._beat_index(address) & 0


def test_a_careless_one_fails():
    with pytest.raises(ProofFailed, match="an assertion fails"):
        prove(Careless(14, 64, **SMALL), "careless", properties=proofs.dma, bound=BOUND,
              cover_depth=0)
