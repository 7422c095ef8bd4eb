"""Which classes a tier is made of: those with enough images, sampled, or chosen by how alike they are (METHODS 8)."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import numpy as np

from ..config.tiers import Images
from .split import generator

STARTS = 10
"""Local searches per draw."""
OVERLAP_COST = 0.25
"""What a draw made only of classes of earlier draws costs, in parts of the range from far to near."""


class Supply(NamedTuple):
    """How many images each class has in the data set's own splits, (class,) int each."""

    train: np.ndarray
    held_out: np.ndarray

    def enough(self, classes: int, images: Images, floor: int) -> np.ndarray:
        """Return which classes can fill their part of a tier of that many classes, (class,) bool.

        A class needs its share of the training images, and at least `floor`, in the training split; and its share of
        validation and probe images in the held-out split or left over in the training split.
        """
        train, rest = needs(classes, images)
        return (self.train >= max(train, floor)) & (self.held_out + self.train - train >= rest)


def needs(classes: int, images: Images) -> tuple[int, int]:
    """Return the most images that a class of a balanced tier needs: to train on; for validation and probe together.

    >>> needs(3, Images(train=100, validation=10, probe=9))
    (34, 7)
    """
    return ceil(images.train / classes), ceil(images.validation / classes) + ceil(images.probe / classes)


def sample(
    supply: Supply, images: Images, floor: int, count: int, nested: bool, seed: int, draw: int
) -> np.ndarray:
    """Sample classes at random from those with enough images.

    Parameters
    ----------
    count : int
        k.
    nested : bool
        Take the first k of one order of all classes, the same for every k. In data sets of unequal classes small tiers
        need more images per class than some classes have: place j of the order then goes to the first class in a random
        permutation that can fill its part of a tier of j classes (or, where none can, of the least larger number).
        So every beginning of the order can be filled, and it doesn't depend on which values of k a study lists.
    seed, draw : int
        What the sample depends on (and k, where not nested).

    Returns
    -------
    ndarray (k,) int64, ascending
        At least k classes must have enough images.
    """
    if not nested:
        pool = np.flatnonzero(supply.enough(count, images, floor))
        return np.sort(generator(seed, "classes", count, draw).permutation(pool)[:count])
    classes = len(supply.train)
    least = np.full(classes, classes + 1)  # smallest tier that a class can fill its part of
    for size in range(classes, 0, -1):
        least[supply.enough(size, images, floor)] = size
    permutation = generator(seed, "chain", draw).permutation(classes)
    waiting = least[permutation]
    chain = []
    for place in range(1, count + 1):
        position = int(np.maximum(waiting, place).argmin())
        chain.append(permutation[position])
        waiting[position] = 2 * classes + 2
    return np.sort(chain)


class Choice(NamedTuple):
    """Chosen classes, ascending; and which share of them earlier draws of the same level have too."""

    classes: np.ndarray
    overlap: float


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
    near = _mean(similarity, _extreme(similarity, count, 1.0, unused, 0.0))
    far = _mean(similarity, _extreme(similarity, count, -1.0, unused, 0.0))
    overlap_cost = OVERLAP_COST * (near - far) or 1.0
    used = unused
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
        overlap = float(used[chosen].mean())
        used = used.copy()
        used[chosen] = True
    return Choice(np.sort(chosen), overlap)


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
