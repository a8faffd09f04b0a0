"""Random compute instructions that a unit can run."""

from golden.tnpu.nest import WIDTHS, jumps
from hw.tnpu.instruction import FIELDS, LOOPS, Opcode

INNER = {Opcode.STREAM: 2, Opcode.LOCAL: 3, Opcode.DRAIN: 2, Opcode.VECTOR: 2, Opcode.POOL: 2}


def random_instruction(r, config, unit, opcode=None, largest=3):
    """Field values. Groups last long enough; addresses are anything."""
    opcode = Opcode(opcode if opcode is not None else r.choice(list(INNER)))
    inner = INNER[opcode]
    given = {name: 0 for name, _ in FIELDS} | {"opcode": opcode, "inner": inner}
    turns = [r.choice([1, 1, 2, r.randint(1, largest)]) for _ in range(LOOPS)]
    if opcode == Opcode.LOCAL:
        while turns[0] * turns[1] * turns[2] > config.slots:
            turns[r.randrange(3)] = 1
    size = 1
    for k in range(LOOPS):
        given[f"count{k}"] = turns[k]
        size *= turns[k] if k < inner else 1
    for name, bits in WIDTHS.items():
        steps = [r.choice([0, 1, -1, r.randrange(50)]) for _ in range(LOOPS)]
        if name == "w" and opcode == Opcode.STREAM:
            steps[:2] = 0, 0
        for k, jump in enumerate(jumps(turns, steps, bits)):
            given[f"jump_{name}{k}"] = jump
        given[name] = r.choice([0, 1, (1 << bits) - 1, r.randrange(1 << bits)])
    given |= {"bound": r.randrange(3), "init": r.randrange(3), "relu": r.randrange(2),
              "extra": r.randrange(1 << 16)}
    given["rows"], given["cols"] = r.randint(1, 9), r.randint(1, 9)
    needed = {Opcode.STREAM: config.min_pass(unit), Opcode.LOCAL: config.slot_distance,
              Opcode.POOL: size + 1}.get(opcode, 1)
    given["gap"] = max(0, needed - size) + r.choice([0, 0, 1, 5])
    return given
