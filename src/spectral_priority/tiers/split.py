"""From the images of some classes to balanced, disjoint train, validation and probe images."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from ..config.tiers import Images
from ..data.images import HELD_OUT, TRAIN


class Split(NamedTuple):
    """Chosen images by part, ascending; and how many of validation and probe are from the held-out split."""

    index: dict[str, np.ndarray]
    held_out: int


def generator(seed: int, *key: object) -> np.random.Generator:
    """Return random numbers that belong to a seed and a key: another draw or level never changes them.

    >>> generator(0, "classes", 1).integers(1000) == generator(0, "classes", 1).integers(1000)
    np.True_
    """
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:16], "big")])


def allocate(total: int, capacity: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Share out images over cells as evenly as their capacities allow.

    Every cell gets the same number, or all it has where that is less; what is left over goes, one each, to the first
    cells in `order` that have more.

    Parameters
    ----------
    total : int
        Number of images, at most the sum of capacities.
    capacity : ndarray (cell,) int
        Number of images in each cell.
    order : ndarray (cell,) int
        A permutation of the cells.

    Examples
    --------
    >>> allocate(11, np.array([9, 2, 9, 1]), np.array([2, 0, 1, 3])).tolist()
    [4, 2, 4, 1]
    """
    if total > capacity.sum():
        raise ValueError(f"{total} images asked for, but the cells hold {capacity.sum()}")
    low, high = 0, int(capacity.max(initial=0))
    while low < high:  # the highest level to which all cells can be filled
        level = (low + high + 1) // 2
        if np.minimum(capacity, level).sum() <= total:
            low = level
        else:
            high = level - 1
    quota = np.minimum(capacity, low)
    order = order[capacity[order] > low]
    quota[order[: total - quota.sum()]] += 1
    return quota


def split_images(cell: np.ndarray, split: np.ndarray, images: Images, seed: int, *key: object) -> Split:
    """Choose train, validation and probe images at random, each as evenly over the cells as they allow.

    Training images come from the data set's training split. Probe and validation images come from the held-out split
    and, where a cell has too few of those, from training images that are not trained on; the probe chooses first,
    because measures are taken on it. Which images of a cell are preferred depends on the seed and key alone, so the
    same class has its images in common between levels that share a key.

    Parameters
    ----------
    cell : ndarray (sample,) int
        The cell of every image of the data set (its class, or its combination of labels); −1: not in this tier.
    split : ndarray (sample,)
        The data set's own split.
    images : Images
        How many images of each part.
    seed, *key
        What the choice depends on.

    Raises
    ------
    ValueError
        Where the cells hold too few images: callers check that first, to name the study's field.
    """
    random = generator(seed, "images", *key)
    preference = random.random(len(cell))
    cells = int(cell.max(initial=-1)) + 1
    order = random.permutation(cells)

    inside = cell >= 0
    trainable = np.flatnonzero(inside & (split == TRAIN))
    capacity = np.bincount(cell[trainable], minlength=cells)
    quota = allocate(images.train, capacity, order)
    rank = _rank(cell[trainable], preference[trainable])
    train = trainable[rank < quota[cell[trainable]]]

    inside[train] = False
    rest = np.flatnonzero(inside)
    capacity = np.bincount(cell[rest], minlength=cells)
    probe = allocate(images.probe, capacity, np.roll(order, 1))
    validation = allocate(images.validation, capacity - probe, np.roll(order, 2))
    rank = _rank(cell[rest], (split[rest] != HELD_OUT) + preference[rest])
    is_probe = rank < probe[cell[rest]]
    is_validation = ~is_probe & (rank < (probe + validation)[cell[rest]])
    index = {"train": train, "validation": rest[is_validation], "probe": rest[is_probe]}
    held_out = sum(int((split[index[part]] == HELD_OUT).sum()) for part in ("validation", "probe"))
    return Split(index, held_out)


def _rank(cell: np.ndarray, preference: np.ndarray) -> np.ndarray:
    """Position of every image within its cell, lowest preference first."""
    order = np.lexsort((preference, cell))
    ordered = cell[order]
    rank = np.empty(len(cell), dtype=np.int64)
    rank[order] = np.arange(len(cell)) - np.searchsorted(ordered, ordered, side="left")
    return rank
