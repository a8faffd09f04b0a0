"""The recurrences of the array against registers stepped in plain Python."""

import dataclasses

import numpy as np
import pytest

from golden.scnn import compute
from hw.scnn.config import PRESETS
from tests.scnn.reference_pe import ReferenceArray
from tests.scnn.streams import as_arrays, as_inputs, random_group, random_inputs

SMALL, TINY = PRESETS["small"], PRESETS["tiny"]
CONFIGS = {
    "small": SMALL,
    "tiny": TINY,
    "one": dataclasses.replace(SMALL, pe_rows=1, pe_cols=1, mults_f=4, mults_i=4, acc_banks=32),
    "shallow": dataclasses.replace(SMALL, queue_depth=1, acc_banks=2, fifo_entries=4),
}
CHANNELS = 12


def model(config, lines, available, inputs, drain, first_run):
    """([(run, counters per PE)], cycles in which the decoder takes the lines).

    Counters accumulate over the groups.
    """
    state, size = compute.start(config), compute.sizes(config)
    arrays, held = as_arrays(config, lines), as_inputs(config, inputs, CHANNELS)
    banks = np.zeros(config.lanes, np.int64)
    total = np.zeros((4, config.pes), np.int64)
    groups, decoded, run, drain_idle, offered = [], [], first_run, 0, 0
    compute.begin_group(state, run)
    for n, line in enumerate(lines):
        offered = max(available[n], offered)
        taken = compute.take_line(state, arrays, held, size, n, offered, banks)
        decoded.append(taken)
        offered = taken + 1
        if not line.end_group:
            continue
        done = compute.flush(state)
        multiply, conflict, products = state.pipe[:, compute.MULTIPLY:compute.PIPE].T
        starved = state.flushed - run - multiply - conflict
        assert (starved >= 0).all() and (conflict >= 0).all()
        total += [multiply, conflict, starved, products]
        groups.append((run, total.T.tolist()))
        end = max(done + 1, drain_idle)
        run, drain_idle = end + 1, end + drain[len(groups) - 1]
        compute.begin_group(state, run)
    return groups, decoded


def reference(config, lines, available, inputs, drain, first_run):
    array = ReferenceArray(config, lines, available, inputs, drain)
    groups = array.run(first_run)
    return [(run, [[causes.get(c, 0) for c in ("multiply", "conflict", "starved")] + [macs]
                   for causes, _, macs in pes]) for run, pes in groups], array.decoded


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(25))
def test_equals_the_stepped_reference(name, seed):
    config, rng = CONFIGS[name], np.random.default_rng(seed)
    reach = config.acc_depth // 2
    inputs = random_inputs(rng, config, CHANNELS, reach)
    lines = [line for _ in range(3) for line in random_group(rng, config, CHANNELS, reach)]
    late = rng.random(len(lines)) < (0.0, 0.3, 0.05)[seed % 3]
    available = np.cumsum(1 + late * rng.integers(1, 60, len(lines))).tolist()
    drain = [int(rng.integers(3, 150)) for _ in range(3)]
    first_run = int(rng.integers(0, 80))
    args = config, lines, available, inputs, drain, first_run
    assert model(*args) == reference(*args)
