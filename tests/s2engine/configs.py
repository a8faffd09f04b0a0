"""Configurations that the tests of the blocks share: odd, least and deep FIFOs, every ratio."""
from hw.s2engine.config import S2Config

CONFIGS = {f"{w},{f},{p}:{ratio}": S2Config(
    rows=3, cols=3, w_depth=w, f_depth=f, wf_depth=p, ratio=ratio, group=group, mixed=mixed)
    for w, f, p, ratio, group, mixed in [
        (4, 4, 4, 4, 16, True), (1, 1, 1, 1, 6, True), (2, 2, 2, 2, 16, False),
        (3, 1, 2, 8, 6, True), (5, 6, 8, 1, 7, True)]}
BOTH = [("icarus", name) for name in CONFIGS] + [("verilator", "4,4,4:4")]
