"""Classes put into groups of equal size: at random, or neighbours of a hierarchy together (METHODS 8, regroup)."""

from __future__ import annotations

from math import factorial, prod

import numpy as np

from ..errors import InputError
from .split import generator

STARTS = 32
"""Clusterings from which groupings along a hierarchy are looked for."""
NEAR_EQUAL = 0.25
"""A grouping is near-equal to the best where it loses at most this part of what the best gains over chance."""

Groups = list[list[int]]
"""Positions of the classes in each group; groups are in the order of their first class."""


def sizes(classes: int, groups: int) -> list[int]:
    """Return group sizes that differ by at most one class, larger ones first.

    >>> sizes(10, 4)
    [3, 3, 2, 2]
    """
    small, larger = divmod(classes, groups)
    return [small + 1] * larger + [small] * (groups - larger)


def number_of_groupings(classes: int, groups: int) -> int:
    """Return in how many ways classes can be put into groups of equal size ±1.

    >>> number_of_groupings(4, 2), number_of_groupings(5, 2), number_of_groupings(5, 5)
    (3, 10, 1)
    """
    size = sizes(classes, groups)
    larger = size.count(size[0])
    ordered = factorial(classes) // prod(factorial(one) for one in size)
    return ordered // (factorial(larger) * factorial(groups - larger))


def random_groups(classes: int, groups: int, seed: int, draw: int, field: str = "draws") -> Groups:
    """Group classes at random; no two draws are the same grouping.

    Parameters
    ----------
    classes, groups : int
        K classes into k groups.
    seed, draw : int
        Draw d depends on the seed and on d alone: further draws change nothing.
    field : str
        The study's field, for the message.

    Raises
    ------
    InputError
        Where there are not that many groupings.

    Examples
    --------
    >>> sorted(random_groups(4, 2, seed=0, draw=d) for d in range(3))
    [[[0, 1], [2, 3]], [[0, 2], [1, 3]], [[0, 3], [1, 2]]]
    """
    if draw >= number_of_groupings(classes, groups):
        raise _too_many_draws(field, draw, number_of_groupings(classes, groups), classes, groups, "")
    seen: list[Groups] = []
    for number in range(draw + 1):
        random = generator(seed, "groups", groups, number)
        while (found := _cut(random.permutation(classes), sizes(classes, groups))) in seen:
            pass
        seen.append(found)
    return seen[draw]


def hierarchy_groups(
    similarity: np.ndarray, groups: int, seed: int, draw: int, field: str = "draws"
) -> Groups:
    """Group classes so that neighbours are together, in groups of equal size ±1.

    Average-linkage clustering puts the classes in a row, its ties broken and its branches turned at random, once for
    every start; the row is cut into equal pieces; then classes are exchanged between groups as long as that raises
    the mean similarity within groups. Of the groupings found from all starts, those near-equal to the best
    (`NEAR_EQUAL`) are the draws, best first.

    Parameters
    ----------
    similarity : ndarray (class, class)
        Similarity of the K classes.
    groups : int
        k.
    seed, draw : int
        Draw d is the same however many draws there are.
    field : str
        The study's field, for the message.

    Raises
    ------
    InputError
        Where fewer near-equal groupings exist: a hierarchy that falls into k equal branches has one.
    """
    classes = len(similarity)
    found: dict[tuple, float] = {}
    for start in range(STARTS):
        random = generator(seed, "hierarchy", groups, start)
        size = random.permutation(sizes(classes, groups))
        row = _row(similarity, random)
        group = np.empty(classes, dtype=np.int64)
        group[row] = np.repeat(np.arange(groups), size)
        group = _exchange(similarity, group, groups)
        grouping = _cut(np.argsort(group, kind="stable"), np.bincount(group, minlength=groups))
        found[tuple(map(tuple, grouping))] = round(_within(similarity, group), 9)
    best, chance = max(found.values()), similarity[np.triu_indices(classes, 1)].mean()
    near = [
        grouping for grouping, value in found.items() if value >= best - NEAR_EQUAL * (best - chance) - 1e-9
    ]
    near.sort(key=lambda grouping: (-found[grouping], grouping))
    if draw >= len(near):
        raise _too_many_draws(
            field, draw, len(near), classes, groups, " following the hierarchy about equally well"
        )
    return [list(group) for group in near[draw]]


def _cut(row: np.ndarray, size: np.ndarray | list[int]) -> Groups:
    pieces = np.split(row, np.cumsum(size)[:-1])
    return sorted(sorted(int(one) for one in piece) for piece in pieces)


def _row(similarity: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The classes from left to right below an average-linkage tree, each branch turned at random."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    order = random.permutation(len(similarity))
    distance = np.clip(1 - similarity[np.ix_(order, order)], 0, None)
    np.fill_diagonal(distance, 0)
    branches = [order[[leaf]] for leaf in range(len(order))]
    for left, right, *_ in linkage(squareform(distance, checks=False), "average"):
        pair = [branches[int(left)], branches[int(right)]]
        branches.append(np.concatenate(pair if random.integers(2) else pair[::-1]))
    return branches[-1]


def _exchange(similarity: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Exchange each class in turn with its best partner while that raises the similarity within groups."""
    # Whole numbers have exact sums, so ties are the same on every machine.
    similarity = np.round(similarity * 1e9)
    group, everyone = group.copy(), np.arange(len(group))
    towards = similarity @ np.eye(groups)[group]  # (class, group): sum of similarities to the group's classes
    improved = True
    while improved:
        improved = False
        for one in everyone:
            gain = towards[one, group] - towards[one, group[one]]
            gain += towards[:, group[one]] - towards[everyone, group] + 2 * (1e9 - similarity[one])
            gain[group == group[one]] = 0
            other = int(gain.argmax())
            if gain[other] > 0:
                change = similarity[:, other] - similarity[:, one]
                towards[:, group[one]] += change
                towards[:, group[other]] -= change
                group[one], group[other] = group[other], group[one]
                improved = True
    return group


def _within(similarity: np.ndarray, group: np.ndarray) -> float:
    """Mean similarity over pairs of classes in the same group."""
    same = np.triu(group[:, None] == group[None, :], 1)
    return float(similarity[same].mean()) if same.any() else 0.0


def _too_many_draws(field: str, draw: int, exist: int, classes: int, groups: int, how: str) -> InputError:
    return InputError(
        field,
        f"draw {draw} is asked for, but only {exist} different grouping{'s' if exist > 1 else ''} of {classes} classes "
        f"into {groups} groups {'were' if exist > 1 else 'was'} found{how}",
        f"at most {exist} for this number of groups",
        "ask for fewer draws, or for another number of groups",
    )
