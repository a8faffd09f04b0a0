"""`Shared`: a block that is emitted once and instantiated by name."""

from amaranth import *
from amaranth.lib import wiring

_prototypes: dict = {}    # key -> an instance kept only for its signature and constants


def _typed(value):
    """`value` with its type, so that 1, True and 1.0 are different parameters."""
    if isinstance(value, tuple):
        return tuple(_typed(v) for v in value)
    return type(value), value


def _key(cls, args, kwargs):
    key = (cls, _typed(args), tuple((k, _typed(kwargs[k])) for k in sorted(kwargs)))
    try:
        hash(key)
    except TypeError as e:
        raise TypeError(f"Shared({cls.__name__}): every parameter must be hashable: {e}") from None
    return key


class Shared(wiring.Component):
    """Stands for ``cls(*args, **kwargs)``; its Verilog module is emitted once per distinct call.

    The signature is that of the block. Under `hw.emit` it elaborates to an instance of a module
    named after the class (``PE``; a second set of parameters gives ``PE_1``), whose ``clk`` and
    ``rst`` are those of the ``sync`` domain where it is placed: `DomainRenamer` and a clock domain
    with a reset of its own reach it. `ResetInserter` and `EnableInserter` do NOT reach inside:
    give the block an input, or place it in a domain with its own reset. Elsewhere (Amaranth's
    simulator, formal) it is a plain copy of the block. Shared blocks may contain shared blocks.

    The block must be a function of its parameters alone and use no domain but ``sync``.

    Parameters
    ----------
    cls : subclass of wiring.Component
    args, kwargs : hashable
        Passed to ``cls``. TypeError if one of them is not hashable.

    Attributes
    ----------
    block : cls
        A prototype of the block, for its constants (latencies, layouts); never its signals.
    """

    def __init__(self, cls, *args, **kwargs):
        self._MustUse__used = True    # until it is whole: a refusal is not an unused block
        self._key = _key(cls, args, kwargs)
        self._make = lambda: cls(*args, **kwargs)
        if self._key not in _prototypes:
            block = self._make()
            block._MustUse__used = True    # never elaborated, and no mistake
            _prototypes[self._key] = block
        self.block = _prototypes[self._key]
        super().__init__(self.block.signature)
        self._MustUse__used = False

    @property
    def cls(self):
        """The class of the block."""
        return self._key[0]

    def elaborate(self, platform):
        if not hasattr(platform, "shared_module"):
            return self._make_inline()
        ports = [("i", "clk", ClockSignal()),
                 ("i", "rst", ResetSignal(allow_reset_less=True))]
        for path, member, value in self.signature.flatten(self):
            value = Value.cast(value)
            if len(value):    # Verilog has no zero-width ports
                kind = "i" if member.flow == wiring.In else "o"
                ports.append((kind, "__".join(map(str, path)), value))
        return Instance(platform.shared_module(self._key, self._make), *ports)

    def _make_inline(self):
        m = Module()
        m.submodules.block = block = self._make()
        wiring.connect(m, wiring.flipped(self), block)
        return m
