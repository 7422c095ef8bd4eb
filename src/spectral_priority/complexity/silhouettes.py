"""Silhouette: how much nearer an image is to its own class than to the next one (METHODS 7)."""

from __future__ import annotations

import logging

import numpy as np

from .estimate import NAN, Estimate, mean_error


def silhouette(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the mean silhouette of the classes in the reference space, from −1 to 1. Harder when lower; unit 1.

    Of an image, (b − a) ÷ max(a, b): a is the mean Euclidean distance to the other images of its class, b the least
    mean distance to the images of another class; 0 for the only image of a class.

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
    from sklearn.metrics import silhouette_samples

    features = np.asarray(features, dtype=np.float64)
    width = silhouette_samples(features - features.mean(axis=0), label)
    return Estimate(float(width.mean()), mean_error(width), number)
