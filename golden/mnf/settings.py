"""What a pass tells the blocks of a PE: register values of a lane map."""

from __future__ import annotations

from typing import Any

from golden.mnf.events import Target
from golden.mnf.geometry import Axis, Geometry
from golden.mnf.lanes import LaneMap
from hw.mnf.config import MNFConfig


def load_setting(lanes: LaneMap, config: MNFConfig, first_entry: int = 0) -> dict[str, int]:
    """The load module's registers (`hw/mnf/layouts.py`); sums lie from `first_entry` on."""
    across = lanes.tiles[1]
    tiles = lanes.tiles[0] * across
    # An origin lies at most this far before the band's first neuron; whole entries are added.
    before = (lanes.pr - 1) * lanes.pitch + lanes.pc - 1
    back = -(-before // lanes.positions)
    down_entry, down_rotation = divmod(lanes.pr * lanes.pitch, lanes.positions)
    across_entry, across_rotation = divmod(lanes.pc, lanes.positions)
    shift = config.neuron_bits + 1 + config.lane_bits
    return {
        "pr": lanes.pr, "pc": lanes.pc, "positions": lanes.positions,
        "reciprocal": -(-(1 << shift) // lanes.positions), "pitch": lanes.pitch,
        "tap_rows": lanes.taps[0] - 1, "tap_cols": lanes.taps[1] - 1, "tiles": tiles,
        "tiles_across": across, "groups": lanes.groups,
        "words": tiles if config.weight_sparse else lanes.words,
        "stretch": lanes.stretch, "down_entry": down_entry % (1 << config.entry_bits),
        "down_rotation": down_rotation, "across_entry": across_entry,
        "across_rotation": across_rotation, "back": back * lanes.positions,
        "base": (first_entry - back) % (1 << config.entry_bits),
    }


def dispatch_setting(lanes: LaneMap, config: MNFConfig) -> dict[str, Any]:
    """The dispatcher's registers: every lane's slot."""
    slots = [{"used": 0}] * config.lanes
    for d, (row, col) in enumerate(lanes.slots):
        for kk in range(lanes.kl):
            slots[d * lanes.kl + kk] = {"used": 1, "row": row, "col": col,
                                        "step": lanes.steps[d] % (1 << config.entry_bits)}
    stretch = {"stretch": lanes.stretch} if config.weight_sparse else {}
    return {"kl": lanes.kl, "used": lanes.used, **stretch, "slots": slots}


def generator_setting(geometry: Geometry, targets: list[Target], pitch: int,
                      config: MNFConfig) -> dict[str, Any]:
    """An event generator's registers for the layer that reads a map."""
    stride = geometry.rows.stride

    def axis(own: Axis) -> dict[str, int]:
        return {"pad": own.pad, "taps": own.kernel // stride, "more": own.kernel % stride,
                "out": own.out - 1}
    return {
        "stride": stride, "phase_cols": geometry.cols.phases, "phases": geometry.phases,
        "reciprocal": -(-(1 << config.coord_bits + 1 + config.tap_bits) // stride),
        "rows": axis(geometry.rows), "cols": axis(geometry.cols), "pitch": pitch,
        "targets": [{"dest": t.dest, "first_row": t.band[0], "last_row": t.band[1] - 1,
                     "first_channel": t.channels[0], "last_channel": t.channels[1] - 1}
                    for t in targets],
    }
