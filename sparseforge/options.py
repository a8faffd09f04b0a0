"""The command line's groups of options: CONFIG, LAYER, memory. A verb takes a group as a value."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from golden.program import Memory


def _option(group: str, name: str, text: str) -> Any:
    return typer.Option(name, help=text, rich_help_panel=group, show_default=False)


@dataclasses.dataclass
class ConfigOptions:
    """CONFIG, as given."""

    preset: Annotated[str | None, _option("Config", "--preset", "named config [paper]")] = None
    config: Annotated[Path | None, _option(
        "Config", "--config", "TOML file of parameters")] = None
    set: Annotated[list[str] | None, _option(
        "Config", "--set", "NAME=VALUE, one parameter; may be repeated")] = None


_FORM = "Layer (one of --network, --shape, --weights)"
_ANY = "Any layer"


@dataclasses.dataclass
class LayerOptions:
    """LAYER, as given; None where not given."""

    network: Annotated[str | None, _option(
        _FORM, "--network", "a built-in network, or FILE.onnx of `train --export`")] = None
    layer: Annotated[str | None, _option(
        _FORM, "--layer", "one layer of the network [all of them]")] = None
    shape: Annotated[str | None, _option(
        _FORM, "--shape", "C,H,W,K,R,S: synthetic tensors")] = None
    weights: Annotated[Path | None, _option(
        _FORM, "--weights", ".npy, integers [K, C/groups, R, S]")] = None
    activations: Annotated[Path | None, _option(
        _FORM, "--activations", ".npy, integers [C, H, W] ([N, C, H, W] with --batch N)")] = None
    bias: Annotated[Path | None, _option(
        _FORM, "--bias", ".npy, integers [K], in units of the accumulator")] = None
    output: Annotated[Path | None, _option(
        _FORM, "--output", ".npy to write: the layer's output [K, Ho, Wo]")] = None
    stride: Annotated[int | None, _option(_FORM, "--stride", "[1]")] = None
    pad: Annotated[int | None, _option(_FORM, "--pad", "zeros on every side [0]")] = None
    groups: Annotated[int | None, _option(_FORM, "--groups", "[1]")] = None
    weight_density: Annotated[float | None, _option(
        _FORM, "--weight-density", "of synthetic tensors, 0 to 1 [1, or the network's]")] = None
    activation_density: Annotated[float | None, _option(
        _FORM, "--activation-density", "of synthetic tensors, 0 to 1 [1, or the network's]")] = None
    weight_block: Annotated[str | None, _option(
        _FORM, "--weight-block", "FIN,FOUT,KX,KY: prune synthetic weights in blocks "
        "[cambricon_s: its own]")] = None
    seed: Annotated[int | None, _option(
        _FORM, "--seed", "of synthetic tensors; first image of digits [0]")] = None
    relu: Annotated[bool, _option(_ANY, "--relu", "ReLU on the outputs")] = False
    shift: Annotated[int | None, _option(
        _ANY, "--shift", "right shift of the sums [the smallest that saturates nothing]")] = None
    product_shift: Annotated[int | None, _option(
        _ANY, "--product-shift", "right shift of each product, before it is summed [0]")] = None
    out_bits: Annotated[int | None, _option(
        _ANY, "--out-bits", "width of outputs [the design's data]")] = None
    pool: Annotated[str | None, _option(
        _ANY, "--pool", "max|avg,K,S[,P]: pooling of the outputs")] = None
    batch: Annotated[int | None, _option(_ANY, "--batch", "images [1]")] = None
    allow_overflow: Annotated[bool, _option(
        _ANY, "--allow-overflow", "wrap sums that leave the accumulators, instead of refusing")
    ] = False


@dataclasses.dataclass
class MemoryOptions:
    """The bench's memory."""

    latency: Annotated[int, typer.Option(
        "--latency", help="cycles of a read", rich_help_panel="Memory")] = 64
    outstanding: Annotated[int, typer.Option(
        "--outstanding", help="bursts in flight", rich_help_panel="Memory")] = 8
    bandwidth: Annotated[str, typer.Option(
        "--bandwidth", help="BEATS/CYCLES, in each direction", rich_help_panel="Memory")] = "1/1"

    def memory(self) -> Memory:
        """As a `Memory`; ValueError if out of range."""
        beats, slash, cycles = self.bandwidth.partition("/")
        if not (slash and beats.isdecimal() and cycles.isdecimal()):
            raise ValueError(f"--bandwidth must be BEATS/CYCLES, not {self.bandwidth}")
        try:
            return Memory(self.latency, self.outstanding, (int(beats), int(cycles)))
        except ValueError as error:
            raise ValueError(f"--{error}") from None


GROUPS = (ConfigOptions, LayerOptions, MemoryOptions)


def grouped(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Turns each parameter of a verb that is a group into the group's options."""
    hints = get_type_hints(verb, include_extras=True)
    parameters, groups = [], {}
    for parameter in inspect.signature(verb).parameters.values():
        hint = hints[parameter.name]
        if hint not in GROUPS:
            parameters.append(parameter.replace(
                annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        types = get_type_hints(hint, include_extras=True)
        members = dataclasses.fields(hint)
        groups[parameter.name] = (hint, [m.name for m in members])
        parameters += [inspect.Parameter(m.name, inspect.Parameter.KEYWORD_ONLY,
                                         default=m.default, annotation=types[m.name])
                       for m in members]

    @functools.wraps(verb)
    def wrapper(**given: Any) -> Any:
        for name, (group, members) in groups.items():
            given[name] = group(**{m: given.pop(m) for m in members})
        return verb(**given)

    # What typer reads.
    wrapper.__signature__ = inspect.Signature(parameters)   # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapper
