"""How alike the classes of a task are: means over the pairs that it tells apart (METHODS 7)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from ..similarity import mean_between
from .estimate import Estimate


def class_similarity(name: str, similarity: np.ndarray, groups: Sequence[Sequence[int]]) -> Estimate:
    """Return the mean similarity over pairs of classes that the task tells apart. Harder when higher; unit 1.

    Parameters
    ----------
    name : str
        `hierarchy_similarity` (Wu and Palmer 1994) or `spectral_similarity`, for the log.
    similarity : ndarray (class, class)
        Of all classes of the label.
    groups : sequence of sequences of int
        The data set's classes behind each class of the task: one each, or several in a regrouped task, where pairs
        within a group don't count.
    """
    value, pairs = mean_between(similarity, groups)
    if np.isnan(value):
        logging.warning("%s: some classes of this tier have none; left empty", name)
    return Estimate(value, n=pairs)
