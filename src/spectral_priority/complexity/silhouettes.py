"""Silhouette: how much nearer an image is to its own class than to the next one (METHODS 7)."""

from __future__ import annotations

import logging

import numpy as np

from .estimate import NAN, Estimate, mean_error
from .neighbours import BLOCK


def silhouette(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the mean silhouette of the classes in the reference space, from −1 to 1. Harder when lower; unit 1.

    Of an image, (b − a) ÷ max(a, b): a is the mean Euclidean distance to the other images of its class, b the least
    mean distance to the images of another class; 0 for the only image of a class. The value is that of scikit-learn's
    `silhouette_score` (a test compares them). It is computed here since importing scikit-learn takes longer than all
    measures of a small task together.

    Parameters
    ----------
    features : ndarray (image, component)
        A sample of the training images; the time grows with the square of their number.
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        With the standard error of the mean over images; NaN for a single class, and where each image is a class.

    Notes
    -----
    Rousseeuw 1987, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis".

    Examples
    --------
    >>> round(silhouette(np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([0, 0, 1, 1])).value, 3)
    0.9
    """
    number = len(label)
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    if not 2 <= len(counts) < number:
        logging.warning("silhouette: %d classes among %d images; left empty", len(counts), number)
        return Estimate(NAN, n=number)
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    square, member = (features**2).sum(axis=1), np.eye(len(counts))[label]
    width = np.empty(number)
    for start in range(0, number, BLOCK):
        rows = np.arange(start, min(start + BLOCK, number))
        place = rows - start
        distance = square[rows, None] + square - 2 * features[rows] @ features.T
        distance = np.sqrt(np.maximum(distance, 0, out=distance), out=distance)
        distance[place, rows] = 0  # exactly
        to_class = distance @ member
        inside = to_class[place, label[rows]] / np.maximum(counts[label[rows]] - 1, 1)
        to_class /= counts
        to_class[place, label[rows]] = np.inf
        outside = to_class.min(axis=1)
        larger = np.maximum(inside, outside)
        width[rows] = np.divide(outside - inside, larger, out=np.zeros(len(rows)), where=larger > 0)
    width[counts[label] == 1] = 0
    return Estimate(float(width.mean()), mean_error(width), number)
