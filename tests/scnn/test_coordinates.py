import pytest

from hw.scnn.config import PRESETS, SCNNConfig
from hw.scnn.coordinates import Coordinates, bank_of, entry_of
from sim.common.runner import SIMULATORS, simulate


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("preset", ["paper", "tiny"])
def test_bench(simulator, preset):
    simulate(Coordinates(PRESETS[preset]), "sim.scnn.bench_coordinates", simulator=simulator,
             config=PRESETS[preset])


@pytest.mark.parametrize("cfg", [PRESETS["paper"], PRESETS["tiny"], SCNNConfig(acc_entries=1),
                                 SCNNConfig(acc_banks=2, acc_entries=3)], ids=str)
def test_every_address_has_a_place_of_its_own(cfg):
    assert len(entry_of(cfg, 0)) <= cfg.entry_bits
    places = {(address ^ address >> cfg.bank_bits) % cfg.acc_banks
              + cfg.acc_banks * (address >> cfg.bank_bits) for address in range(cfg.acc_depth)}
    assert places == set(range(cfg.acc_depth))
    assert len(bank_of(cfg, 0)) <= cfg.bank_bits
