"""Rankings of frequencies: the dominant ones, and how far two rankings agree. NumPy only."""

from __future__ import annotations

import numpy as np


def number_of(percent: float, pairs: int) -> int:
    """Return how many frequencies the top `percent` are: rounded, at least one.

    >>> number_of(5, 129), number_of(1, 12)
    (6, 1)
    """
    return max(1, int(np.floor(percent / 100 * pairs + 0.5)))


def top(values: np.ndarray, percent: float) -> np.ndarray:
    """Return which values (…, pairs) are among the largest `percent`, bool; of equal ones the earlier.

    >>> top(np.array([3.0, 1.0, 3.0, 2.0]), 25).tolist()
    [True, False, False, False]
    """
    chosen = np.argsort(-values, axis=-1, kind="stable")[..., : number_of(percent, values.shape[-1])]
    mask = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(mask, chosen, True, axis=-1)
    return mask


def ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value along the last axis, from 1; equal values share their mean rank.

    >>> ranks(np.array([[0.5, 0.1, 0.5], [3.0, 2.0, 1.0]])).tolist()
    [[2.5, 1.0, 2.5], [3.0, 2.0, 1.0]]
    """
    order = np.argsort(values, axis=-1)
    ascending = np.take_along_axis(values, order, axis=-1)
    place = np.broadcast_to(np.arange(values.shape[-1]), values.shape)
    steps, edge = ascending[..., 1:] > ascending[..., :-1], np.ones((*values.shape[:-1], 1), dtype=bool)
    starts, ends = np.concatenate([edge, steps], axis=-1), np.concatenate([steps, edge], axis=-1)
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=-1)
    last = np.where(ends, place, values.shape[-1])[..., ::-1]
    last = np.minimum.accumulate(last, axis=-1)[..., ::-1]
    found = np.empty(values.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, axis=-1)
    return found


def rank_correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Spearman's correlation along the last axis; 0 where either ranks nothing, for all its values are equal.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([[1.0, 10.0, 11.0], [7.0, 7.0, 7.0]])).tolist()
    [1.0, 0.0]
    """
    shape = np.broadcast_shapes(one.shape, other.shape)
    first, second = (ranks(of) - (shape[-1] + 1) / 2 for of in (one, other))
    spread = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    product = np.broadcast_to((first * second).sum(axis=-1), shape[:-1])
    return np.divide(product, spread, out=np.zeros(shape[:-1]), where=spread > 0)


def top_overlap(one: np.ndarray, other: np.ndarray, percent: float) -> np.ndarray:
    """Return which part of the largest `percent` of the one is among those of the other; 0 where either ranks nothing.

    Two random rankings share `percent` of a hundred.

    >>> float(top_overlap(np.arange(20.0), np.arange(20.0)[::-1], 10))
    0.0
    """
    both = (top(one, percent) & top(other, percent)).sum(axis=-1)
    ranked = (np.ptp(one, axis=-1) > 0) & (np.ptp(other, axis=-1) > 0)
    return both * ranked / number_of(percent, one.shape[-1])
