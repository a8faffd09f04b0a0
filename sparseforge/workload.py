"""LAYER: what the command line asks to be run, as layers with tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from golden import layers, tensors
from golden.layers import Layer, Pool
from golden.tensors import Tensors
from sparseforge.files import writable
from sparseforge.networks import Entry, Network, network
from sparseforge.networks.network import Blocks, digits_chain, synthesise, synthesise_chain
from sparseforge.options import LayerOptions

_SHAPED = ("stride", "pad", "groups")
_DRAWN = ("weight_density", "activation_density", "weight_block", "seed")
_FILES = ("activations", "bias")


@dataclass(frozen=True)
class Step:
    """A layer with its shift set, its tensors, and the outputs that every design must give."""

    layer: Layer
    tensors: Tensors
    outputs: np.ndarray


@dataclass(frozen=True)
class Workload:
    """What to run: `count` jobs; each job's layers run back to back as one program.

    `source` says where the tensors come from; `compared` are the layers that published
    comparisons count (all, but for whole networks).
    """

    name: str
    source: str
    count: int
    options: LayerOptions
    network: Network | None = None
    compared: tuple[str, ...] = ()

    def unstructured(self) -> Workload | None:
        """The same with weights that are zero one by one; None if that is not ours to draw."""
        ours = self.options.weights is None and not (self.network and self.network.trained)
        if not ours or self.options.weight_block is not None:
            return None
        return replace(self, options=replace(self.options, weight_block="1,1,1,1"))

    def fitted(self, data_bits: int, acc_bits: int) -> Workload:
        """The same for a machine of these widths: layer by layer where outputs are as wide as sums
        (fp32), since no shift keeps the values of a synthetic chain small there."""
        net = self.network
        if not net or net.trained or not net.chain or self.options.layer or acc_bits > data_bits:
            return self
        return replace(self, count=len(net.entries), network=replace(net, chain=False),
                       source=self.source.replace("a chain", "layer by layer"))

    def labels(self) -> np.ndarray | None:
        """What the images show, [N], if the last outputs tell what is recognised in them."""
        if not self.network or not self.network.trained or self.options.layer is not None:
            return None
        from sparseforge.networks import digits
        first = self.options.seed or 0
        return digits.images()[1][first:first + (self.options.batch or 1)]

    def jobs(self, data_bits: int, acc_bits: int, blocks: Blocks | None = None
             ) -> Iterator[list[Step]]:
        """The jobs, tensors drawn or loaded for these widths; synthetic weights in a layer's
        `blocks`, unless the command line names them.

        Raises ValueError on tensors that do not fit; AccumulatorOverflow unless allowed.
        """
        options = self.options
        if options.weight_block is not None:
            fin, fout, kx, ky = _numbers("--weight-block", options.weight_block, "FIN,FOUT,KX,KY")

            def blocks(layer: Layer) -> tuple[int, int, int, int]:
                return fin, fout, kx, ky
        if self.network is None:
            pairs = iter([_own(options) if options.weights else
                          _synthetic(options, data_bits, acc_bits, blocks)])
            yield from ([self._step(pair, data_bits, acc_bits)] for pair in pairs)
            return
        if self.network.trained:
            yield from self._trained(self.network, data_bits, acc_bits)
            return
        entries = [_changed(entry, options) for entry in self.network.pick(options.layer)]
        chained = self.network.chain and options.layer is None
        draw = synthesise_chain if chained else synthesise
        pairs = draw(entries, seed=options.seed or 0, data_bits=data_bits, acc_bits=acc_bits,
                     blocks=blocks)
        steps = (self._step(pair, data_bits, acc_bits) for pair in pairs)
        if chained:
            yield list(steps)
        else:
            yield from ([step] for step in steps)

    def _trained(self, net: Network, data_bits: int, acc_bits: int) -> Iterator[list[Step]]:
        entries = [_changed(entry, self.options) for entry in net.entries]
        chain = digits_chain(entries, first=self.options.seed or 0, acc_bits=acc_bits,
                             file=net.file)
        yield [self._step(pair, data_bits, acc_bits) for pair in chain
               if self.options.layer in (None, pair[0].name)]

    def _step(self, pair: tuple[Layer, Tensors], data_bits: int, acc_bits: int) -> Step:
        layer, drawn = pair
        if self.options.out_bits is None and not (self.network and self.network.trained):
            # Wider values than a layer's own (fp32's) leave the sums whole.
            layer = replace(layer, out_bits=data_bits)
        tensors.check(layer, drawn, data_bits, acc_bits)
        result = layers.reference(layer, drawn.weights, drawn.activations, drawn.bias, acc_bits,
                                  allow_overflow=self.options.allow_overflow)
        return Step(result.layer, drawn, result.outputs)


def workload(options: LayerOptions) -> Workload:
    """The LAYER that these options name; ValueError if they name none, or two."""
    forms = {"--network": options.network, "--shape": options.shape,
             "--weights": options.weights}
    given = [name for name, value in forms.items() if value is not None]
    if len(given) != 1:
        raise ValueError("LAYER must be one of --network NAME, --shape C,H,W,K,R,S or --weights "
                         f"W.npy --activations A.npy, not {' and '.join(given) or 'none of them'}")
    form = given[0]
    if options.output:
        writable(options.output)
    _only(options, _SHAPED, form, ("--shape", "--weights"))
    _only(options, _DRAWN, form, ("--shape", "--network"))
    _only(options, _FILES, form, ("--weights",))
    _only(options, ("layer",), form, ("--network",))
    if form == "--network":
        return _of_network(options)
    if form == "--weights" and options.activations is None:
        raise ValueError("--weights W.npy must come with --activations A.npy")
    name = options.shape or f"{options.weights}"
    source = "synthetic" if form == "--shape" else "files"
    return Workload(name, source, 1, options, compared=("layer",))


def _only(options: LayerOptions, names: tuple[str, ...], form: str, forms: tuple[str, ...]) -> None:
    for name in names:
        if form not in forms and getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} must come with {' or '.join(forms)}, "
                             f"not with {form}")


def _of_network(options: LayerOptions) -> Workload:
    net = network(str(options.network))
    entries = net.pick(options.layer)
    if options.output and len(entries) != 1:
        raise ValueError("--output must come with one layer: name it with --layer")
    if net.trained:
        _only(options, ("weight_density", "activation_density", "weight_block"),
              f"--network {net.name}", ("--shape",))
    name = net.name if options.layer is None else f"{net.name}/{options.layer}"
    chained = net.chain and options.layer is None
    for entry in entries:
        _changed(entry, options)                    # refuses early
    compared = net.compared if options.layer is None else (options.layer,)
    source = "trained weights, held-out images" if net.trained else "synthetic"
    return Workload(name, f"{source}, {'a chain' if chained else 'layer by layer'}",
                    1 if chained else len(entries), options, net, compared)


def _changed(entry: Entry, options: LayerOptions) -> Entry:
    """The entry with what the command line changes."""
    known = entry.densities
    changed = replace(
        known,
        weights=known.weights if options.weight_density is None else options.weight_density,
        activations=(known.activations if options.activation_density is None
                     else options.activation_density))
    return Entry(replace(entry.layer, **_after(options)), changed)


def _after(options: LayerOptions) -> dict[str, Any]:
    """The fields of any LAYER that are given."""
    fields = {name: getattr(options, name) for name in ("shift", "product_shift", "out_bits",
                                                        "batch")}
    fields = {name: value for name, value in fields.items() if value is not None}
    if options.relu:
        fields["relu"] = True
    if options.pool is not None:
        fields["pool"] = _pool(options.pool)
    return fields


def _pool(text: str) -> Pool:
    kind, *numbers = text.split(",")
    if len(numbers) not in (2, 3) or not all(n.strip().isdecimal() for n in numbers):
        raise ValueError(f"--pool must be max|avg,K,S[,P], not {text}")
    k, s, pad = (*map(int, numbers), 0)[:3]
    return Pool(kind=kind, k=k, s=s, pad=pad)       # type: ignore[arg-type]


def _numbers(option: str, text: str, form: str) -> tuple[int, ...]:
    parts = text.split(",")
    if len(parts) != len(form.split(",")) or not all(p.strip().isdecimal() for p in parts):
        raise ValueError(f"{option} must be {form}, whole numbers, not {text}")
    return tuple(map(int, parts))


def _shaped(options: LayerOptions) -> dict[str, Any]:
    given = {name: getattr(options, name) for name in _SHAPED}
    return {**{n: v for n, v in given.items() if v is not None}, **_after(options)}


def _synthetic(options: LayerOptions, data_bits: int, acc_bits: int, blocks: Blocks | None
               ) -> tuple[Layer, Tensors]:
    sizes = _numbers("--shape", str(options.shape), "C,H,W,K,R,S")
    fields: dict[str, Any] = dict(zip("chwkrs", sizes, strict=True))
    layer = Layer(**fields, **_shaped(options))
    weight, activation = (1.0 if given is None else given for given in (
        options.weight_density, options.activation_density))
    return layer, tensors.synthetic(
        layer, weight_density=weight, activation_density=activation, seed=options.seed or 0,
        data_bits=data_bits, acc_bits=acc_bits, block=blocks(layer) if blocks else (1, 1, 1, 1))


def _own(options: LayerOptions) -> tuple[Layer, Tensors]:
    batch = options.batch or 1
    weights = tensors.load(options.weights or "", "--weights", 4)
    activations = tensors.load(options.activations or "", "--activations", 3 if batch == 1 else 4)
    bias = tensors.load(options.bias, "--bias", 1) if options.bias else None
    k, depth, r, s = weights.shape
    c, h, w = activations.shape[-3:]
    groups = options.groups or 1
    if depth * groups != c:
        raise ValueError(f"--activations {options.activations}: must have {depth * groups} "
                         f"channels ({depth} of the weights × {groups} groups), not {c}")
    layer = Layer(c=c, h=h, w=w, k=k, r=r, s=s, bias=bias is not None, **_shaped(options))
    return layer, Tensors(weights, activations, bias, "files")
