"""The mesh rows that share a port of the storage PE: a section."""

from __future__ import annotations

from hw.mnf.config import MNFConfig


def port_of(config: MNFConfig, node: int) -> int:
    """The port whose section a node lies in."""
    row = node // config.mesh_cols
    return next(p for p in range(config.ports)
                if row < (p + 1) * config.mesh_rows // config.ports)


def members(config: MNFConfig, port: int) -> int:
    """The nodes of a port's section that are PEs, a bit each."""
    return sum(1 << node for node in range(1, config.nodes) if port_of(config, node) == port)


def storing(config: MNFConfig, fired: int, keep: bool) -> int:
    """Cycles in which the storage PE takes what a layer fires: to memory one pixel in each, on
    chip one at each port, if the PEs fire alike."""
    largest = max(members(config, port).bit_count() for port in range(config.ports))
    return fired * largest // config.pes if keep else fired
