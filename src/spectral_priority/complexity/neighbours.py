"""Nearest neighbours in the reference space, and N3, the error of the nearest one (METHODS 7)."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np

from .estimate import NAN, Estimate


class Nearest(NamedTuple):
    """The nearest other images of each image, nearest first.

    `index` (image, neighbour) int; `distance` (image, neighbour) float64, Euclidean, ascending.
    """

    index: np.ndarray
    distance: np.ndarray


def nearest(features: np.ndarray, count: int = 1) -> Nearest:
    """Find the nearest other images of each image.

    Parameters
    ----------
    features : ndarray (image, component)
    count : int
        Neighbours per image; there are never more than the other images.

    Examples
    --------
    >>> found = nearest(np.array([[0.0], [1.0], [3.0]]), 2)
    >>> found.index.tolist(), found.distance.tolist()
    ([[1, 2], [0, 2], [1, 0]], [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]])
    """
    from sklearn.neighbors import NearestNeighbors

    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    count = min(count, len(features) - 1)
    if count < 1:
        return Nearest(np.empty((len(features), 0), dtype=np.int64), np.empty((len(features), 0)))
    found = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    index = found.kneighbors(return_distance=False)
    # Its distances are differences of squares, too coarse for images that are nearly the same.
    away = np.linalg.norm(features[:, None] - features[index], axis=2)
    order = np.argsort(away, axis=1, kind="stable")
    return Nearest(np.take_along_axis(index, order, axis=1), np.take_along_axis(away, order, axis=1))


def n3(features: np.ndarray, label: np.ndarray, near: Nearest | None = None) -> Estimate:
    """Return N3: the share of images whose nearest other image has another label. Harder when higher; unit 1.

    The leave-one-out error of the nearest neighbour in the reference space, Euclidean.

    Parameters
    ----------
    features : ndarray (image, component)
        A sample of the training images.
    label : ndarray (image,) int
    near : Nearest, optional
        What `nearest(features)` finds, where it is known.

    Returns
    -------
    Estimate
        With the binomial standard error; NaN for a single class or image.

    Notes
    -----
    Ho and Basu 2002; Lorena et al. 2019 (see `fisher_ratio`).

    Examples
    --------
    >>> n3(np.array([[0.0], [1.0], [1.5], [9.0], [9.5]]), np.array([0, 0, 1, 1, 1])).value
    0.4
    """
    number = len(label)
    if len(np.unique(label)) < 2:
        logging.warning("n3: there is a single class among %d images; left empty", number)
        return Estimate(NAN, n=number)
    near = near or nearest(features)
    error = float((label[near.index[:, 0]] != label).mean())
    return Estimate(error, float(np.sqrt(error * (1 - error) / number)), number)
