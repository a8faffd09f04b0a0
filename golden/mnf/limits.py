"""What a configuration can say of a layer, whatever the mapping."""

from __future__ import annotations

from golden.layers import Layer
from golden.mnf.geometry import Geometry
from hw.mnf.config import MNFConfig


def check(layer: Layer, config: MNFConfig) -> None:
    """ValueError, naming the layer and the rule, if a field of the hardware is too narrow."""
    side, tap = (1 << config.coord_bits) - 1, (1 << config.tap_bits) - 1
    channels = Geometry.of(layer).channels * Geometry.of(layer).phases
    for name, value, most in (
            ("batch", layer.batch, 1), ("kernel rows", layer.r, config.max_kernel),
            ("kernel columns", layer.s, config.max_kernel), ("stride", layer.stride, tap),
            ("input rows", layer.h, side), ("input columns", layer.w, side),
            ("padding", max(layer.pads), side), ("output rows", layer.ho, side),
            ("output columns", layer.wo, side),
            ("input channels", layer.c, 1 << config.channel_bits),
            ("input channels times stride phases", channels, 1 << config.channel_bits),
            ("output channels", layer.k, 1 << config.channel_bits),
            ("product_shift", layer.product_shift, 0)):
        if value > most:
            raise ValueError(f"{layer.name}: {name} must be at most {most}, not {value}")
