"""Runs another bench's tests against every mutant of a netlist, in one simulation.

Used by `sim.common.mutation`, which names the bench in the environment. A mutant is alive for a
test that ends as it should; anything else kills it: a failed assertion, an X where a number is
read, a task that fails on its own, or three times the cycles that the unmutated netlist takes.
"""
import os
from importlib import import_module

import cocotb
from cocotb._decorators import TestGenerator  # what cocotb.test makes; it has no public name
from cocotb.triggers import Timer, with_timeout
from cocotb.utils import get_sim_time

from sim.common.bench import PERIOD_NS, clear

BENCH = import_module(os.environ["MUTANTS_BENCH"])
MUTANTS = int(os.environ["MUTANTS"])
SEED = cocotb.RANDOM_SEED       # cocotb draws another from the name of each test
TESTS = [test for made in vars(BENCH).values() if isinstance(made, TestGenerator)
         for test in made.generate_tests()]

# Number -> tests that it got through. 0 is the original and sets the time limit; the last number
# selects no fault either: it must survive by the rules that hold for mutants.
alive = dict.fromkeys(range(MUTANTS + 2), 0)
duration: dict = {}                                    # test -> time that it takes unmutated


async def _clean_slate(dut):
    """The unmutated netlist is reset, so that no mutant inherits another's registers."""
    clear(dut)                     # what else stands around the netlist sees no X
    dut.mutsel.value = 0
    dut.rst.value = 1
    for level in (0, 1, 0, 1, 0):
        dut.clk.value = level
        await Timer(PERIOD_NS, "ns")


@cocotb.test()
@cocotb.parametrize(mutant=list(alive), number=range(len(TESTS)))
async def each_mutant(dut, mutant, number):
    if alive[mutant] < number:
        return
    test = TESTS[number]
    await _clean_slate(dut)
    dut.mutsel.value = mutant
    cocotb.RANDOM_SEED = SEED       # every mutant meets what the original met, as long as it did
    begin = get_sim_time("ns")
    running = test.func(dut, *test.args, **test.kwargs)
    if mutant == 0:
        await running
        duration[number] = round(get_sim_time("ns") - begin)
    else:
        try:
            await with_timeout(running, 3 * duration[number] + PERIOD_NS, "ns")
        except Exception:
            return
    alive[mutant] += 1


@cocotb.test()
async def report(dut):
    """Writes the numbers of the mutants that are alive after all tests."""
    with open(os.environ["MUTANTS_ALIVE"], "w") as file:
        file.write(" ".join(str(m) for m, passed in alive.items() if passed == len(TESTS)))
