"""How near the classes' means are to each other: of images in the reference space, or of their spectra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..data.images import PackedImages
from .matrix import unknown

BLOCK_BYTES = 2**26
"""Pixels read at once."""
LEAST_SHARE = 1e-12
"""Share of a ring below which only rounding is left: its logarithm would be noise."""
LEAST_POWER = 1e-9
"""Power in all kept rings below which an image is constant: a single pixel that differs by 1/255 has 1e-5."""


def closeness(points: np.ndarray) -> np.ndarray:
    """Return the similarity of points from their Euclidean distances d: 1 ÷ (1 + d/m), m the median distance.

    m is taken over all pairs of different points, so a similarity of ½ is a typical pair of the data set, whatever
    the unit. Being relative to the data set, it compares tiers of one data set, not data sets.

    Parameters
    ----------
    points : ndarray (class, feature)
        One point per class; a row with a NaN (a class with no images) has NaN similarities.

    Returns
    -------
    ndarray (class, class) float64

    Examples
    --------
    >>> closeness(np.array([[0.0], [1.0], [2.0]])).round(3).tolist()
    [[1.0, 0.5, 0.333], [0.5, 1.0, 0.5], [0.333, 0.5, 1.0]]
    """
    points = np.asarray(points, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    similarity = unknown(len(points))
    if len(known):
        distance = np.stack([np.linalg.norm(points[known] - points[one], axis=1) for one in known])
        distance = (distance + distance.T) / 2
        apart = distance[distance > 0]
        similarity[np.ix_(known, known)] = 1 / (1 + distance / (np.median(apart) if len(apart) else 1.0))
    return similarity


def class_means(
    vectors: Callable[[np.ndarray], np.ndarray],
    pixels: np.ndarray | PackedImages,
    index: np.ndarray,
    label: np.ndarray,
    number: int,
) -> np.ndarray:
    """Average a vector per image over each class, in blocks of bounded memory.

    Parameters
    ----------
    vectors : function
        From pixels (n, y, x, channel) uint8 to vectors (n, feature); rows with a NaN are left out of the mean.
    pixels : PackedImages, or ndarray (sample, y, x, channel) uint8
        All packed images.
    index : ndarray (n,)
        The images to use, ascending.
    label : ndarray (n,)
        Their class numbers.
    number : int
        Number of classes.

    Returns
    -------
    ndarray (class, feature) float64
        NaN for a class with no image.
    """
    sums, counts = None, np.zeros(number)
    for part in blocks(pixels, index):
        found = np.asarray(vectors(pixels[index[part]]), dtype=np.float64)
        good = np.isfinite(found).all(axis=1)
        members = label[part][good]
        if sums is None:
            sums = np.zeros((number, found.shape[1]))
        np.add.at(sums, members, found[good])
        counts += np.bincount(members, minlength=number)
    if sums is None:
        return np.full((number, 1), np.nan)
    with np.errstate(invalid="ignore"):
        return sums / counts[:, None]


def blocks(pixels: np.ndarray | PackedImages, index: np.ndarray) -> list[slice]:
    """Cut an index of images into slices whose pixels fit into bounded memory."""
    step = max(1, BLOCK_BYTES // int(np.prod(pixels.shape[1:])))
    return [slice(start, start + step) for start in range(0, len(index), step)]


def shares(power: np.ndarray) -> np.ndarray:
    """Normalise ring sums of power to shares S_i(r) that sum to 1 per image; NaN rows for constant images.

    >>> shares(np.array([[1.0, 3.0], [0.0, 0.0]])).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    total = power.sum(axis=1, keepdims=True)
    return np.divide(power, total, out=np.full(power.shape, np.nan), where=total > LEAST_POWER)


def log_spectra(mean_shares: np.ndarray) -> np.ndarray:
    """Return the logarithm of classes' mean radial shares, (class, ring): the points of the spectral similarity.

    The mean is taken before the logarithm: single images may have rings with nothing in them but rounding. Being of
    shares, it compares the form of spectra, not contrast. Numbers of frequencies per ring cancel in differences.
    """
    return np.log(np.maximum(mean_shares, LEAST_SHARE))
