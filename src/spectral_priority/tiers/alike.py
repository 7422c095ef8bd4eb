"""Which classes a tier is made of by how alike they are: near, mid or far, in draws that overlap little (METHODS 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..similarity import mean_between
from .split import generator

STARTS = 10
"""Local searches per draw."""
OVERLAP_COST = 0.25
"""What a draw made only of classes of earlier draws costs, in parts of the range from far to near."""


class Choice(NamedTuple):
    """Classes chosen by similarity.

    Attributes
    ----------
    classes : ndarray (k,) int64, ascending
    overlap : float
        Share of them that earlier draws of the same level have too.
    overlaps : list of float
        The same for each earlier draw alone.
    farthest, nearest : float
        Lowest and highest mean pairwise similarity of any k classes, as far as they were found.
    """

    classes: np.ndarray
    overlap: float
    overlaps: list[float]
    farthest: float
    nearest: float


def alike(similarity: np.ndarray, count: int, level: str, seed: int, draw: int) -> Choice:
    """Choose k classes by their mean pairwise similarity.

    `near` looks for the highest, `far` for the lowest, `mid` for the one halfway between the two. Using classes of
    earlier draws costs up to `OVERLAP_COST` of the range from far to near, so that draws overlap little as long as that
    is cheap. Greedy sets grown from every class (`near`, `far`) or random sets (`mid`) are improved by exchanging
    classes; ties go to lower class numbers. `near` and `far` don't depend on the seed.

    Parameters
    ----------
    similarity : ndarray (class, class)
        Similarity of the classes to choose from, no NaN.
    count : int
        k, at least 2 and at most the number of classes.
    level : {"near", "mid", "far"}
    seed, draw : int
        Draws 0 … d−1 are worked out first, so draw d is the same however many there are.

    Examples
    --------
    >>> rings = np.kron(np.eye(3), np.ones((2, 2))) * 0.5 + 0.5 * np.eye(6)
    >>> [alike(rings, 2, "near", 0, draw).classes.tolist() for draw in range(3)]
    [[0, 1], [2, 3], [4, 5]]
    >>> alike(rings, 2, "far", 0, 0).classes.tolist()
    [0, 2]
    """
    unused = np.zeros(len(similarity), dtype=bool)
    nearest, farthest = (_extreme(similarity, count, sign, unused, 0.0) for sign in (1.0, -1.0))
    near, far = _mean(similarity, nearest), _mean(similarity, farthest)
    overlap_cost = OVERLAP_COST * (near - far) or 1.0
    used, earlier = unused, []
    for number in range(draw + 1):
        if level == "mid":
            starts = _random_sets(used, count, generator(seed, "mid", count, number))
            chosen = _best(
                similarity,
                starts,
                used,
                lambda mean, share: abs(mean - (near + far) / 2) + overlap_cost * share,
            )
        else:
            chosen = _extreme(similarity, count, 1.0 if level == "near" else -1.0, used, overlap_cost)
        earlier.append(np.sort(chosen))
        overlap = float(used[chosen].mean())
        used = used.copy()
        used[chosen] = True
    reached = (mean_between(similarity, one[:, None])[0] for one in (farthest, nearest))
    return Choice(earlier[-1], overlap, overlaps(earlier[-1], earlier[:-1]), *reached)


def overlaps(classes: np.ndarray, earlier: list[np.ndarray]) -> list[float]:
    """Return which share of the classes of a draw each earlier draw has too.

    >>> overlaps(np.array([1, 2]), [np.array([2, 3]), np.array([4, 5])])
    [0.5, 0.0]
    """
    return [float(np.isin(classes, other).mean()) for other in earlier]


def _extreme(
    similarity: np.ndarray, count: int, sign: float, used: np.ndarray, overlap_cost: float
) -> np.ndarray:
    """The set of highest (sign 1) or lowest (sign −1) mean similarity, less the cost of overlap."""
    starts = _greedy_sets(similarity, count, sign, used, overlap_cost)
    return _best(similarity, starts, used, lambda mean, share: -sign * mean + overlap_cost * share)


def _greedy_sets(
    similarity: np.ndarray, count: int, sign: float, used: np.ndarray, overlap_cost: float
) -> np.ndarray:
    """Grow a set from every class, always adding the class that costs least; the best few, (start, k)."""
    everyone = np.arange(len(similarity))
    pair, single = 2.0 / (count * (count - 1)), overlap_cost / count
    chosen = everyone[:, None]
    gain = sign * pair * similarity - single * used  # (start, candidate)
    total = -single * used
    for _ in range(count - 1):
        open_gain = gain.copy()
        np.put_along_axis(open_gain, chosen, -np.inf, axis=1)
        best = np.round(open_gain, 9).argmax(axis=1)
        total = total + open_gain[everyone, best]
        chosen = np.column_stack([chosen, best])
        gain += sign * pair * similarity[best]
    return chosen[np.argsort(-np.round(total, 9), kind="stable")[:STARTS]]


def _random_sets(used: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Random sets that prefer classes no earlier draw has, (start, k)."""
    preference = random.random((STARTS, len(used))) + used
    return np.argsort(preference, axis=1)[:, :count]


def _best(
    similarity: np.ndarray,
    starts: np.ndarray,
    used: np.ndarray,
    cost: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Improve every start by exchanges; the cheapest, the earliest of equals."""
    ends = [_exchange(similarity, start, used, cost) for start in starts]
    return min(ends, key=lambda end: round(float(cost(_mean(similarity, end), used[end].mean())), 9))


def _exchange(
    similarity: np.ndarray,
    start: np.ndarray,
    used: np.ndarray,
    cost: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Exchange one chosen class for another, the best pair first, as long as that lowers the cost."""
    chosen, count = np.sort(start), len(start)
    pairs = count * (count - 1) / 2
    while count < len(similarity):
        others = np.setdiff1d(np.arange(len(similarity)), chosen)
        towards = similarity[:, chosen].sum(axis=1)
        total = (towards[chosen].sum() - count) / 2
        swap = towards[others][None, :] - similarity[np.ix_(chosen, others)] - (towards[chosen] - 1)[:, None]
        share = (
            used[chosen].sum() + used[others][None, :].astype(int) - used[chosen].astype(int)[:, None]
        ) / count
        costs = np.round(cost((total + swap) / pairs, share), 9)
        out, into = np.unravel_index(int(costs.argmin()), costs.shape)
        if costs[out, into] >= cost(total / pairs, used[chosen].mean()) - 1e-8:
            break
        chosen = np.sort(np.append(np.delete(chosen, out), others[into]))
    return chosen


def _mean(similarity: np.ndarray, chosen: np.ndarray) -> float:
    """Mean pairwise similarity; the diagonal is 1."""
    count = len(chosen)
    return float((similarity[np.ix_(chosen, chosen)].sum() - count) / (count * (count - 1)))
