"""How far classes lie apart beside how far they spread, in the reference space: from sums over images (METHODS 7)."""

from __future__ import annotations

import logging

import numpy as np

from .estimate import NAN, Estimate

LEAST_PER_COMPONENT = 5
"""Fewest images per component for which a covariance is inverted."""


def fisher_ratio(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the multi-class Fisher ratio of training images in the reference space. Harder when lower; unit 1.

    Σ_c n_c·‖μ_c − μ‖² ÷ Σ_c Σ_{i in c} ‖x_i − μ_c‖²: the traces of between- and within-class scatter. It is the
    ratio of Lorena et al. 2019 (measure F1) with sums over all directions of the space in place of the best single
    one, so it does not depend on how the axes lie. For two classes of equal size in one dimension it is half of
    Ho and Basu's (μ₁ − μ₂)² ÷ (σ₁² + σ₂²).

    Parameters
    ----------
    features : ndarray (image, component)
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        NaN for a single class, and where images of a class don't differ.

    Notes
    -----
    Ho and Basu 2002, "Complexity measures of supervised classification problems"; Lorena et al. 2019, "How complex is
    your classification problem?".

    Examples
    --------
    >>> fisher_ratio(np.array([[-3.0], [-1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1])).value
    4.0
    """
    counts = np.bincount(label)
    if (counts > 0).sum() < 2:
        logging.warning("fisher_ratio: there is a single class; left empty")
        return Estimate(NAN, n=len(label))
    features = features - features.mean(axis=0)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, label, features)
    means = sums / np.maximum(counts, 1)[:, None]
    between = float((counts[:, None] * means**2).sum())
    within = float(((features - means[label]) ** 2).sum())
    if within <= 1e-12 * between or within == 0:
        logging.warning("fisher_ratio: images of a class don't differ in the reference space; left empty")
        return Estimate(NAN, n=len(label))
    return Estimate(between / within, n=len(label))


def h_score(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the H-score tr(Σ⁻¹ Σ_B) of training images in the reference space. Harder when lower; unit 1.

    Σ is the covariance of images, Σ_B that of their class means, each mean as often as its class has images: the
    variance between classes as a part of all, summed over independent directions. From 0 to the smaller of components
    and k − 1, so it grows with the number of classes. Labels at random have components · (k − 1) ÷ (images − 1). It
    does not depend on the scales of axes, nor on how they lie.

    Parameters
    ----------
    features : ndarray (image, component)
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        Without a standard error. NaN for a single class, and for fewer than five images per component, where Σ can't
        be inverted with any certainty.

    Notes
    -----
    Bao et al. 2019, "An information-theoretic approach to transferability in task transfer learning". The version with
    shrunk covariances (Ibrahim, Ponomareva, Mazumder 2022, arXiv 2110.06893) is for more components than images; with
    components of very different variance it would mostly blur the small ones, so few images are refused instead.

    Examples
    --------
    >>> x = np.concatenate([np.linspace(-1, 1, 21), np.linspace(9, 11, 21)])[:, None]
    >>> round(h_score(x, np.arange(42) // 21).value, 3)
    0.986
    """
    number, components = features.shape
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        logging.warning("h_score: there is a single class; left empty")
        return Estimate(NAN, n=number)
    if number < LEAST_PER_COMPONENT * components:
        logging.warning(
            "h_score: %d images for %d components, fewer than %d each; left empty",
            number,
            components,
            LEAST_PER_COMPONENT,
        )
        return Estimate(NAN, n=number)
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    values, axes = np.linalg.eigh(features.T @ features)
    kept = values > 1e-10 * values[-1]  # directions in which images differ
    white = features @ (axes[:, kept] / np.sqrt(values[kept]))
    sums = np.zeros((len(counts), white.shape[1]))
    np.add.at(sums, label, white)
    return Estimate(float((sums**2 / counts[:, None]).sum()), n=number)


def within_class_diversity(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return how far apart two images of a class lie: root mean squared distance in the reference space.

    √(2 Σ_c s_c² ÷ k), s_c² the unbiased variance of class c summed over components; classes count alike. Harder when
    higher. The unit is that of the space: the L2 norm over pixels in [0, 1], or over a network's features.

    Parameters
    ----------
    features : ndarray (image, component)
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        With the standard error over images, by the delta method; NaN where a class has fewer than two images.

    Notes
    -----
    Fridovich-Keil et al. 2022 (arXiv 2110.02424) find higher response frequencies in more diverse classes.

    Examples
    --------
    >>> within_class_diversity(np.array([[0.0], [2.0], [7.0], [9.0]]), np.array([0, 0, 1, 1])).value
    2.0
    """
    number = len(label)
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    if counts.min() < 2:
        logging.warning("within_class_diversity: a class has a single image; left empty")
        return Estimate(NAN, n=number)
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, label, features)
    squared = ((features - (sums / counts[:, None])[label]) ** 2).sum(axis=1)
    variance = np.bincount(label, squared) / (counts - 1)
    value = float(np.sqrt(2 * variance.mean()))
    spread = squared - (np.bincount(label, squared) / counts)[label]
    of_class = np.bincount(label, spread**2) / (counts - 1) / counts  # squared standard error of s_c²
    error = float(np.sqrt(of_class.sum()) / len(counts) / value) if value > 0 else NAN
    return Estimate(value, error, number)
