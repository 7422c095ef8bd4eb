"""TwoNN: in how many directions images vary locally, from two neighbours of each (METHODS 7)."""

from __future__ import annotations

import logging

import numpy as np

from .estimate import NAN, Estimate
from .neighbours import Nearest, nearest

DISCARDED = 0.1
"""Part of the images, those with the largest ratios, that the fit leaves out, as the paper does."""
FEWEST = 20
"""Fewest images for a dimension."""


def intrinsic_dimension(features: np.ndarray, near: Nearest | None = None) -> Estimate:
    """Return the TwoNN intrinsic dimension of images in the reference space. Harder when higher; unit dimensions.

    μ is the ratio of the distances of the second and the first nearest other image. Where density is about constant
    over these, −ln(1 − F(μ)) = d · ln μ: d is the slope of a line through the origin, fitted by least squares without
    the tenth of the images that have the largest μ. It is of the images alone: labels play no part.

    Parameters
    ----------
    features : ndarray (image, component)
        A sample of the training images. A sample makes neighbours farther: the dimension is that of a coarser scale.
    near : Nearest, optional
        What `nearest(features, 2)` finds, where it is known.

    Returns
    -------
    Estimate
        The standard error d ÷ √n is that of independent ratios. Images that are equal to another one are left out. NaN
        for fewer than 20 others.

    Notes
    -----
    Facco, d'Errico, Rodriguez, Laio 2017, doi 10.1038/s41598-017-11873-y. scikit-dimension has it without the
    error; its numbers are the same (tests/unit/test_feature_complexity.py). It would bring numba, and seconds to start.

    Examples
    --------
    >>> square = np.random.default_rng(0).random((2000, 2))
    >>> round(intrinsic_dimension(square).value, 1)
    2.0
    """
    near = near or nearest(features, 2)
    if near.distance.shape[1] < 2:
        logging.warning("intrinsic_dimension: %d images; left empty", len(near.distance))
        return Estimate(NAN, n=len(near.distance))
    first, second = near.distance[:, 0], near.distance[:, 1]
    apart = first > 1e-9 * np.median(second)  # equal images are apart by rounding
    if not apart.all():
        logging.warning("intrinsic_dimension: %d images are equal to another; left out", (~apart).sum())
    number = int(apart.sum())
    kept = int(number * (1 - DISCARDED))
    if number < FEWEST:
        logging.warning("intrinsic_dimension: %d images that differ; left empty", number)
        return Estimate(NAN, n=number)
    ratio = np.sort(np.log(second[apart] / first[apart]))[:kept]
    beyond = -np.log1p(-np.arange(1, kept + 1) / number)
    if not ratio.any():
        logging.warning("intrinsic_dimension: two neighbours are equally near everywhere; left empty")
        return Estimate(NAN, n=number)
    value = float(ratio @ beyond / (ratio @ ratio))
    return Estimate(value, value / float(np.sqrt(kept)), number)
