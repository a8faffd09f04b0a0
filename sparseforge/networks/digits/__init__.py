"""The digits network: a small pruned CNN for scikit-learn's 8×8 handwritten digits."""

from sparseforge.networks.digits.reader import (
    FOLDER,
    SHIPPED,
    images,
    load,
    metadata,
    training_images,
)

__all__ = ["FOLDER", "SHIPPED", "images", "load", "metadata", "training_images"]
