"""Do groups of images differ in the rank of their weight gradients? A permutation test, corrected over layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .profile import standard_error
from .singular_values import effective_rank, effective_rank_slope

LEAST_ERROR = 1e-4
"""Relative standard error of a rank that is assumed at least: what float32 gradients leave of a rank of one."""
TOLERANCE = 1e-3
"""Difference below which statistics are equal: rounding must not decide."""


@dataclass(frozen=True)
class Difference:
    """Result of the test.

    Attributes
    ----------
    rank, error : ndarray (layer, group)
        Effective rank of `number` images of each group, and its standard error over them.
    number : int
        Images of each group that were taken; 0: no test was made.
    statistic : ndarray (layer,)
        Σ (rank − mean rank)² ÷ error² over groups, the mean weighted by 1 ÷ error².
    p, p_adjusted : ndarray (layer,)
        Share of the permutations, the given grouping among them, whose statistic is at least as large: of the same
        layer, and of any layer (Westfall and Young 1993, single step).
    """

    rank: np.ndarray
    error: np.ndarray
    number: int
    statistic: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray


def group_difference(
    gradients: list[np.ndarray], groups: np.ndarray, number_of_groups: int, permutations: int, seed: int
) -> Difference:
    """Test whether groups differ in the effective rank of their mean gradients.

    Parameters
    ----------
    gradients : list of ndarray (image, p, q)
        By layer: each image's weight gradient, or its projection on two fixed bases.
    groups : ndarray (image,) of int64
        0 … k − 1.
    number_of_groups : int
        k.
    permutations : int
        Random permutations.
    seed : int
        Of them; the order of the images must not depend on how they were given.

    Returns
    -------
    Difference
        For fewer than two groups, a group of fewer than two images or no permutation: no test, with p 1 and all else
        0. A layer in which all ranks are equal (a head of two logits) has statistic 0 and p 1.

    Notes
    -----
    Of each group as many images are drawn as the smallest one has, for the rank of few images is small. Images are
    then permuted between groups by their pseudo-values, the group's rank plus the image's first-order influence on
    it, and the statistic is studentised: such a test keeps its level, as the number of images grows, also where
    groups have equal ranks but other directions and spreads (Janssen 1997). Were gradients themselves permuted,
    gradients of different classes would cancel, and mixed groups resemble no real one. Where mean gradients are mostly
    sampling noise, first-order errors are too large and p is too: differences are then missed, not made up.
    All layers are permuted together, so that their dependence counts.
    """
    least = int(np.bincount(groups, minlength=number_of_groups).min())
    if number_of_groups < 2 or least < 2 or permutations == 0:
        none = np.zeros((len(gradients), number_of_groups))
        ones = np.ones(len(gradients))
        return Difference(none, none, 0, 0 * ones, ones, ones)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in range(number_of_groups)]
    taken = np.array([rng.permutation(of_group)[:least] for of_group in members])
    orders = np.arange(taken.size)
    orders = np.array([orders, *(rng.permutation(orders) for _ in range(permutations))])
    found = [_of_layer(of_images[taken], orders) for of_images in gradients]
    rank, error, statistic = (np.array(parts) for parts in zip(*found, strict=True))
    own = statistic[:, :1] - TOLERANCE
    return Difference(
        rank,
        error,
        least,
        statistic[:, 0],
        (statistic >= own).mean(axis=1),
        (statistic.max(axis=0) >= own).mean(axis=1),
    )


def _of_layer(gradients: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ranks and errors (group,) of gradients (group, image, p, q), and the statistic (order,)."""
    u, values, v = np.linalg.svd(gradients.mean(axis=1), full_matrices=False)
    slope = effective_rank_slope(values, max(gradients.shape[2:]) * np.finfo(np.float32).eps)
    influence = np.einsum("gpr,gr,grq,gipq->gi", u, slope, v, gradients, optimize=True)
    rank = effective_rank(values)
    pseudo = rank[:, None] + influence  # whose mean is 0, for a rank knows no scale
    permuted = pseudo.ravel()[orders].reshape(len(orders), *pseudo.shape)
    least = (LEAST_ERROR * max(rank.max(), 1)) ** 2
    weight = 1 / np.maximum(permuted.var(axis=2, ddof=1) / pseudo.shape[1], least)
    means = permuted.mean(axis=2)
    middle = (weight * means).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    return rank, standard_error(influence.T), (weight * (means - middle) ** 2).sum(axis=1)
