"""What a configuration can say of a layer, whatever the mapping."""

from __future__ import annotations

from golden.layers import Layer
from golden.mnf.geometry import Geometry
from hw.mnf.config import MNFConfig
from hw.mnf.fields import POOL_BITS, POOL_SLOTS


def check(layer: Layer, config: MNFConfig) -> None:
    """ValueError, naming the layer and the rule, if a field of the hardware is too narrow."""
    pool = layer.pool
    if pool:
        most = (1 << POOL_BITS) - 1
        layer.require(max(pool.k, pool.s) <= most, f"pool k and s must be at most {most}, not "
                                                   f"{pool.k} and {pool.s}")
        open_ = min(-(-pool.k // pool.s), max(layer.out_h, layer.out_w))
        layer.require(open_ <= POOL_SLOTS, f"pooling windows open at a time, ⌈k/s⌉, must be at "
                                           f"most {POOL_SLOTS}, not {open_}")
        layer.require(layer.out_w <= config.pool_words, f"pooled columns must be at most "
                      f"pool_words {config.pool_words}, not {layer.out_w}")
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
        layer.require(value <= most, f"{name} must be at most {most}, not {value}")
