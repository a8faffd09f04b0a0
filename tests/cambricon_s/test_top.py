"""Random layers on the Top in Icarus: outputs, cycles and counters are golden's and the model's."""

import pytest

from hw.cambricon_s.config import PRESETS
from sim.common.design import BENCH
from tests.cambricon_s.design import CAMBRICON
from tests.common.harness import STALLS

SHORT = 400         # instructions, so that Icarus is done within seconds


@pytest.mark.regress
@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_random_layers(preset):
    config = PRESETS[preset]
    cases = [one for one in CAMBRICON.cases(config, first=0, count=40)
             if one.program.passes[0].words <= SHORT]
    assert len(cases) >= 10
    build = CAMBRICON.rtl.build(config, "icarus")
    programs = [one.program for one in cases]
    CAMBRICON.check(cases, CAMBRICON.rtl.run(build, programs), BENCH)
    CAMBRICON.check(cases, CAMBRICON.rtl.run(build, programs, stalls={**STALLS, "seed": 3}), None)
