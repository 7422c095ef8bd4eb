"""CSG, the cumulative spectral gradient: how strongly classes hang together as a graph (METHODS 7)."""

from __future__ import annotations

import logging

import numpy as np

from .estimate import NAN, Estimate
from .neighbours import Nearest, nearest

NEIGHBOURS = 3
"""Neighbours that tell how probable an image is in each class: the released program's number."""


def csg(features: np.ndarray, label: np.ndarray, near: Nearest | None = None) -> Estimate:
    """Return the cumulative spectral gradient of the classes in the reference space. Harder when higher; unit 1.

    S_ij is the mean, over the images of class i, of the share of class j among the three nearest other images; a class
    with fewer images counts more for each. W_ij = 1 − Σ_c |S_ic − S_jc| ÷ Σ_c (S_ic + S_jc) is how alike two rows are.
    The eigenvalues λ_0 ≤ λ_1 ≤ … of the Laplacian of W rise late for classes apart and early for classes that overlap:
    CSG = Σ_i max_{j ≤ i} (λ_{j+1} − λ_j) ÷ (k − j). It is 0 for classes that share no neighbour. Two classes with the
    same neighbours have 1.

    Parameters
    ----------
    features : ndarray (image, component)
        A sample of the training images.
    label : ndarray (image,) int
    near : Nearest, optional
        What `nearest(features, 3)` finds, where it is known.

    Returns
    -------
    Estimate
        Without a standard error: the eigenvalues of one graph have none. NaN for a single class.

    Notes
    -----
    Branchaud-Charron, Achkar, Jodoin 2019 (arXiv 1905.07299). They embed images by t-SNE in two dimensions and weigh
    each image by one over the volume that its neighbours span; in 64 dimensions such volumes differ by tens of orders
    of magnitude and a few images would decide, so images count alike here.

    Examples
    --------
    >>> apart = np.arange(20.0)[:, None] + 1000 * (np.arange(20) >= 10)[:, None]
    >>> csg(apart, np.arange(20) // 10).value
    0.0
    """
    number = len(label)
    _, label, counts = np.unique(label, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        logging.warning("csg: there is a single class among %d images; left empty", number)
        return Estimate(NAN, n=number)
    near = near or nearest(features, NEIGHBOURS)
    share = np.zeros((number, len(counts)))
    for neighbour in near.index[:, :NEIGHBOURS].T:
        np.add.at(share, (np.arange(number), label[neighbour]), 1 / counts[label[neighbour]])
    share /= share.sum(axis=1, keepdims=True)
    rows = np.zeros((len(counts), len(counts)))
    np.add.at(rows, label, share)
    rows /= counts[:, None]
    alike = np.stack([1 - np.abs(row - rows).sum(axis=1) / (row + rows).sum(axis=1) for row in rows])
    return Estimate(spectral_gradient(alike), n=number)


def spectral_gradient(alike: np.ndarray) -> float:
    """Return Σ_i max_{j ≤ i} (λ_{j+1} − λ_j) ÷ (k − j) of the Laplacian's eigenvalues λ of a graph (class, class).

    >>> spectral_gradient(np.ones((2, 2))), spectral_gradient(np.eye(3))
    (1.0, 0.0)
    """
    laplacian = np.diag(alike.sum(axis=1)) - alike
    rise = np.diff(np.linalg.eigvalsh((laplacian + laplacian.T) / 2))
    rise /= np.arange(len(alike), 1, -1)
    return float(np.maximum.accumulate(rise).sum()) + 0.0
