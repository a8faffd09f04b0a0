"""Built-in networks: layer tables, densities, and the tensors to run them on."""

from sparseforge.networks.network import NAMES, Entry, Network, network

__all__ = ["NAMES", "Entry", "Network", "network"]
