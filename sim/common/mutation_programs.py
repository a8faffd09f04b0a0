"""Mutants of a whole Top, run as programs: registers, a memory image, and what they must leave.

For blocks with a ``control`` port and a memory behind them, whose tests are lists of jobs of
`sim.common.program` and a check of their results. Mutants run all jobs of a stage in one simulator
process; those whose results pass the check go on to the next stage.
"""
import dataclasses

from sim.common.mutation import MutantSurvived
from sim.common.program import build_program, run_programs

TOGETHER = 400      # jobs that one simulator process runs: each has an image on the disk


def _selectable(mutants):
    """The mutants' netlist with ``mutsel`` among its ports."""
    emitted = mutants.emitted
    port = {"name": "mutsel", "dir": "in", "width": mutants.select_bits}
    return dataclasses.replace(emitted, manifest={
        **emitted.manifest, "ports": [*emitted.manifest["ports"], port]})


def surviving_programs(mutants, stages, *, simulator="icarus", memory_bytes=None):
    """The numbers of the mutants that pass all `stages`: (jobs, check of their results).

    Mutant 0, the original, must pass. MutantSurvived if it does not.
    """
    build = build_program(_selectable(mutants), simulator=simulator, memory_bytes=memory_bytes)
    alive = list(range(len(mutants.faults) + 1))
    for jobs, check in stages:
        first = dataclasses.replace(jobs[0], reset=True)
        passed = []
        for some in batched(alive, max(1, TOGETHER // len(jobs))):
            results = run_programs(build, [dataclasses.replace(job, mutant=number)
                                           for number in some for job in (first, *jobs[1:])],
                                   check=False)
            passed += [number for n, number in enumerate(some)
                       if _passes(check, results[n * len(jobs):(n + 1) * len(jobs)])]
        alive = passed
        if alive[:1] != [0]:
            raise MutantSurvived(f"the unmutated {mutants.emitted.name} does not pass")
    return alive[1:]


def batched(items, size):
    """Slices of a list."""
    return (items[n:n + size] for n in range(0, len(items), size))


def _passes(check, results):
    if None in results or any(result.violation != "none" for result in results):
        return False
    try:
        check(results)
    except AssertionError:
        return False
    return True
