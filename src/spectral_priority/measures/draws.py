"""Random draws of single images, keyed by (seed, image id): batch size and order can't matter (METHODS 2)."""

from __future__ import annotations

import numpy as np

GROUPS = 20
"""Groups of the jackknife."""


def keyed_uniform(seed: int, image_ids: np.ndarray) -> np.ndarray:
    """Return one number in [0, 1) per image that depends on (seed, image id) only: not on batch, order or company.

    The mixing function is SplitMix64 (Steele, Lea, Flood 2014), applied to the seed and then to seed and id.

    Examples
    --------
    >>> both = keyed_uniform(3, np.array([7, 11]))
    >>> bool(keyed_uniform(3, np.array([11]))[0] == both[1])
    True
    """
    key = _mixed(np.array(seed, dtype=np.uint64))
    mixed = _mixed(_mixed(np.asarray(image_ids).astype(np.uint64)) ^ key)
    return (mixed >> np.uint64(11)) * 2.0**-53


def keyed_normal(seed: int, image_ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return standard normal numbers (n, *shape) of each image, from a stream of its own keyed by (seed, image id).

    Examples
    --------
    >>> both = keyed_normal(3, np.array([7, 11]), (4, 4))
    >>> bool((keyed_normal(3, np.array([11]), (4, 4))[0] == both[1]).all())
    True
    """
    made = np.empty((len(image_ids), *shape))
    for row, number in zip(made, image_ids, strict=True):
        np.random.default_rng([seed, int(number)]).standard_normal(out=row)
    return made


def keyed_signs(seed: int, image_ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return random signs, −1 or 1, int8 (n, *shape), of each image, from a stream keyed by (seed, image id).

    Examples
    --------
    >>> both = keyed_signs(3, np.array([7, 11]), (4, 4))
    >>> bool((keyed_signs(3, np.array([11]), (4, 4))[0] == both[1]).all())
    True
    """
    made = np.empty((len(image_ids), *shape), dtype=np.int8)
    for row, number in zip(made, image_ids, strict=True):
        row[...] = np.random.default_rng([seed, int(number)]).integers(0, 2, shape, dtype=np.int8)
    return 2 * made - 1


def jackknife_groups(image_ids: np.ndarray) -> np.ndarray:
    """Return the jackknife group of each image, 0 … 19: its rank among the images in a random order, mod 20.

    Groups are of equal size, to one image. The id mod 20 itself would not do: in a set whose classes take turns, each
    group would hold the images of few classes.

    Examples
    --------
    >>> np.bincount(jackknife_groups(np.arange(100, 150))).tolist()
    [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
    """
    rank = np.empty(len(image_ids), dtype=np.int64)
    rank[np.argsort(keyed_uniform(0, image_ids), kind="stable")] = np.arange(len(image_ids))
    return rank % GROUPS


def _mixed(value: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # arithmetic modulo 2⁶⁴ is meant
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
