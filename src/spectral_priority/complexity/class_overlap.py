"""GBC: how much the classes overlap as Gaussians of the reference space (METHODS 7)."""

from __future__ import annotations

import logging

import numpy as np

from .estimate import NAN, Estimate

LEAST_VARIANCE = 1e-8
"""Smallest variance of a component, as a part of the mean variance of its class over components."""


def gbc(features: np.ndarray, label: np.ndarray) -> Estimate:
    """Return the Gaussian Bhattacharyya coefficient −Σ_{i≠j} exp(−D_ij) of the classes. Harder when lower; unit 1.

    D_ij = ⅛ Σ (μ_i − μ_j)² ÷ σ² + ½ Σ ln(σ² ÷ (σ_i σ_j)) with σ² = (σ_i² + σ_j²) ÷ 2, sums over components: each class
    is a Gaussian with a variance of its own on every axis. 0 for classes without overlap, −k(k − 1) for classes that
    are all the same: a sum over pairs, which grows with their number.

    Parameters
    ----------
    features : ndarray (image, component)
    label : ndarray (image,) int

    Returns
    -------
    Estimate
        Without a standard error. `n` counts pairs of classes, in both orders. NaN for a single class, and where images
        of a class don't differ.

    Notes
    -----
    Pándy, Agostinelli, Uijlings, Ferrari, Mensink 2022 (arXiv 2111.12780), with diagonal covariances.

    Examples
    --------
    >>> x = np.array([[-1.0], [1.0], [3.0], [5.0]])
    >>> round(gbc(x, np.array([0, 0, 1, 1])).value, 4) == round(-2 * float(np.exp(-16 / 8)), 4)
    True
    """
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    pairs = len(counts) * (len(counts) - 1)
    if not pairs:
        logging.warning("gbc: there is a single class; left empty")
        return Estimate(NAN)
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    means = _class_sums(features, label, len(counts)) / counts[:, None]
    variance = _class_sums((features - means[label]) ** 2, label, len(counts)) / counts[:, None]
    typical = variance.mean(axis=1, keepdims=True)
    if (typical <= 1e-12 * (features**2).mean()).any():
        logging.warning("gbc: images of a class don't differ in the reference space; left empty")
        return Estimate(NAN, n=pairs)
    variance = np.maximum(variance, LEAST_VARIANCE * typical)
    logs = np.log(variance).sum(axis=1) / 2
    total = 0.0
    for number in range(len(counts)):
        both = (variance[number] + variance) / 2
        distance = ((means[number] - means) ** 2 / both).sum(axis=1) / 8
        distance += (np.log(both).sum(axis=1) - logs[number] - logs) / 2
        total += float(np.delete(np.exp(-distance), number).sum())
    return Estimate(-total, n=pairs)


def _class_sums(values: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    sums = np.zeros((classes, values.shape[1]))
    np.add.at(sums, label, values)
    return sums
