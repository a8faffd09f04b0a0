"""The counterexample of ``hw/s2engine/deadlock.md``, and its waves as text.

``python -m tests.s2engine.deadlock`` prints the waves.
"""
from golden.s2engine.pe import PE
from golden.s2engine.stepped import Array, Hang
from hw.s2engine.config import S2Config
from sim.s2engine.flows import encode
from tests.s2engine.late import LatePE

# One kernel of one group: columns and rows by turns dense, and with nothing but the last offset.
DENSE, LAST = [1] * 16, [0] * 15 + [1]
W, F = (LAST, DENSE), (DENSE, LAST)
MARKS = "#=wfdb"        # by cause: MULTIPLY, SELECT, STARVED_W, STARVED_F, DRAIN, BLOCKED


def config(depth):
    return S2Config(rows=2, cols=2, w_depth=depth, f_depth=depth, wf_depth=depth, ratio=1)


def flows():
    """Tokens by column and by row."""
    return [encode(w, 16, eok=True) for w in W], [encode(f, 16) for f in F]


class Seen(Array):
    """Keeps what every PE did: a mark per cycle."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.marks = dict.fromkeys(self.pes, "")

    def _look(self):
        looks = super()._look()
        for place, look in looks.items():
            self.marks[place] += MARKS[look[-1]["cause"]]
        return looks


def run(depth, pe=PE):
    """Whether it hangs, and the marks by PE."""
    array = Seen(*flows(), config(depth), pe)
    try:
        array.run()
    except Hang:
        return True, array.marks
    return False, array.marks


def waves(cycles=48):
    """The picture: right and late, at several depths."""
    lines = []
    for depth, pe, what in ((4, PE, "a push goes to the neighbour, too"),
                            (4, LatePE, "handed on when consumed"),
                            (8, LatePE, "handed on when consumed")):
        hangs, marks = run(depth, pe)
        lines.append(f"depths ({depth},{depth},{depth}), {what}: {'hangs' if hangs else 'done'}")
        for (r, c), line in marks.items():
            lines.append(f"  PE({r},{c}) {line[:cycles]}{' ...' if hangs else ''}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(waves())
