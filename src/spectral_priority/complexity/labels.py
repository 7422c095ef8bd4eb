"""How many classes a task has, and how evenly its images lie in them (METHODS 7)."""

from __future__ import annotations

import numpy as np

from ..data.manifest import Manifest
from .estimate import Estimate


def classes(manifest: Manifest) -> Estimate:
    """Return the number of classes k. Harder when higher."""
    return Estimate(float(manifest.number_of_classes), n=manifest.number_of_classes)


def log2_classes(manifest: Manifest) -> Estimate:
    """Return log2 k: doublings of the number of classes. Harder when higher."""
    return Estimate(float(np.log2(manifest.number_of_classes)), n=manifest.number_of_classes)


def label_entropy(label: np.ndarray) -> Estimate:
    """Return the entropy of training labels, −Σ p log p, in nats. Harder when higher; log k for equal classes.

    >>> round(label_entropy(np.array([0, 0, 1, 1])).value, 4)
    0.6931
    """
    share = np.bincount(label) / len(label)
    share = share[share > 0]
    return Estimate(float(-(share * np.log(share)).sum()) + 0.0, n=len(label))
