"""Spearman and Kendall correlation with permutation p values, permuted within chains where draws are nested."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import factorial, prod

import numpy as np
from scipy.stats import rankdata

PIECE = 1000
"""Arrangements handled at a time, which bounds memory."""
SLACK = 1e-9
"""Correlations closer than this are equal: sums in another order differ in their last digits."""


@dataclass(frozen=True)
class Ranks:
    """Rank correlations of x with each column of y; arrays (column,), NaN where y is constant.

    Attributes
    ----------
    spearman, kendall : ndarray
        Spearman's ρ and Kendall's τ_b.
    p_spearman, p_kendall : ndarray
        Two-sided: how often an arrangement has a correlation at least as large in absolute value.
    method : str
        `exact` (every distinct arrangement) or `monte-carlo` (random ones; the observed one counts as one of them).
    """

    spearman: np.ndarray
    kendall: np.ndarray
    p_spearman: np.ndarray
    p_kendall: np.ndarray
    method: str


def rank_correlations(
    x: np.ndarray, y: np.ndarray, chain: Sequence[Hashable], permutations: int = 9999, seed: int = 0
) -> Ranks:
    """Correlate x with each column of y by ranks; p over rearrangements of x within each chain.

    Where there are at most `permutations` distinct arrangements all are gone through, otherwise that many random ones
    are drawn. If x plays no part, every arrangement is equally probable.

    Parameters
    ----------
    x : ndarray (draw,)
        Complexity of each draw; not constant.
    y : ndarray (draw, column)
        Priority.
    chain : sequence (draw,)
        Draws of one chain are not independent (their classes are nested); values move within a chain only. The same
        for all draws: values move freely.
    permutations : int
        Most arrangements.
    seed : int
        Seed of the random ones.

    Examples
    --------
    >>> found = rank_correlations(np.arange(5), np.array([[1.0], [2], [3], [5], [4]]), [0] * 5)
    >>> found.method, round(float(found.spearman[0]), 3), round(float(found.p_spearman[0]), 4)
    ('exact', 0.9, 0.0833)
    """
    x, y = rankdata(x), np.asarray(y, dtype=np.float64)
    places = [
        np.array([number for number, own in enumerate(chain) if own == one]) for one in dict.fromkeys(chain)
    ]
    exact = prod(_count(x[place]) for place in places) <= permutations
    arrangements = _every(x, places) if exact else _random(x, places, permutations, seed)

    y = np.where(np.ptp(y, axis=0) > 0, y, np.nan)
    ranks, signs = _ranks(y), _signs(y)
    observed = [_ranks(x[:, None]).T @ ranks, _signs(x[:, None]).T @ signs]
    as_large = [np.zeros(y.shape[1]), np.zeros(y.shape[1])]
    for start in range(0, len(arrangements), PIECE):
        piece = arrangements[start : start + PIECE].T
        null = [_ranks(piece).T @ ranks, _signs(piece).T @ signs]
        for found, reached, count in zip(null, observed, as_large, strict=True):
            count += (np.abs(found) >= np.abs(reached) - SLACK).sum(axis=0)
    added = 0 if exact else 1
    p = [(count + added) / (len(arrangements) + added) for count in as_large]
    spearman, kendall = observed[0][0], observed[1][0]
    for probability in p:
        probability[np.isnan(spearman)] = np.nan
    return Ranks(spearman, kendall, *p, "exact" if exact else "monte-carlo")


def _ranks(columns: np.ndarray) -> np.ndarray:
    """Centred ranks, each column of unit length: ρ is the product of two."""
    ranks = rankdata(columns, axis=0, nan_policy="propagate")
    return _unit(ranks - ranks.mean(axis=0))


def _signs(columns: np.ndarray) -> np.ndarray:
    """Sign of the difference of every pair of draws, (pair, column), of unit length: τ_b is the product of two."""
    first, second = np.triu_indices(len(columns), k=1)
    return _unit(np.sign(columns[first] - columns[second]))


def _unit(columns: np.ndarray) -> np.ndarray:
    return columns / np.sqrt((columns**2).sum(axis=0))


def _count(values: np.ndarray) -> int:
    """Number of distinct orders of values, some of them equal."""
    return factorial(len(values)) // prod(factorial(n) for n in np.unique(values, return_counts=True)[1])


def _every(x: np.ndarray, places: list[np.ndarray]) -> np.ndarray:
    """Return each distinct arrangement once, (arrangement, draw)."""
    orders = list(product(*(list(_orders(x[place])) for place in places)))
    arrangements = np.empty((len(orders), len(x)))
    arrangements[:, np.concatenate(places)] = [sum(parts, ()) for parts in orders]
    return arrangements


def _orders(values: np.ndarray) -> Iterator[tuple[float, ...]]:
    """Distinct orders of values, each the lexicographic successor of the one before."""
    order = sorted(values.tolist())
    while True:
        yield tuple(order)
        turn = len(order) - 2
        while turn >= 0 and order[turn] >= order[turn + 1]:
            turn -= 1
        if turn < 0:
            return
        larger = len(order) - 1
        while order[larger] <= order[turn]:
            larger -= 1
        order[turn], order[larger] = order[larger], order[turn]
        order[turn + 1 :] = reversed(order[turn + 1 :])


def _random(x: np.ndarray, places: list[np.ndarray], number: int, seed: int) -> np.ndarray:
    """Random arrangements, (arrangement, draw)."""
    generator = np.random.default_rng(seed)
    arrangements = np.tile(x, (number, 1))
    for place in places:
        arrangements[:, place] = generator.permuted(arrangements[:, place], axis=1)
    return arrangements
