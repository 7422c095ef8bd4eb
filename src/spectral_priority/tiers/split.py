"""From the images of some classes to balanced, disjoint train, validation and probe images; clusters stay in one."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from ..config.tiers import Images
from ..data.images import HELD_OUT, TRAIN


class Split(NamedTuple):
    """Chosen images by part, ascending.

    `held_out`: how many of validation and probe are from the held-out split; `left_out`: how many images were not
    chosen though one of their cluster was.
    """

    index: dict[str, np.ndarray]
    held_out: int
    left_out: int = 0


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


def split_images(
    cell: np.ndarray,
    split: np.ndarray,
    images: Images,
    seed: int,
    *key: object,
    probe_cell: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
) -> Split:
    """Choose train, validation and probe images at random, each as evenly over the cells as they allow.

    Training images come from the data set's training split. Probe and validation images come from the held-out split
    and, where a cell has too few of those, from training images that are not trained on; the probe chooses first,
    because measures are taken on it. Which images of a cell are preferred depends on the seed and key alone, so the
    same class has its images in common between levels that share a key.

    Images of one cluster lie in one part. Training chooses first, so a held-out image that belongs together with a
    trained one is in no part. A part takes cluster after cluster in random order; where another part then falls short,
    training takes the clusters with most training images first, and leaves many small ones to the others.

    Parameters
    ----------
    cell : ndarray (sample,) int
        The cell of every image of the data set (its class, or its combination of labels); −1: not in this tier.
    split : ndarray (sample,)
        The data set's own split.
    images : Images
        How many images of each part. A part gets fewer where the cells hold fewer: callers check.
    seed, *key
        What the choice depends on.
    probe_cell : ndarray (sample,) int, optional
        Cells of the probe, where they are others than those of training and validation.
    cluster : ndarray (sample,) int, optional
        Number of every image's cluster, from 0, none left out; every image is its own by default.
    """
    random = generator(seed, "images", *key)
    preference = random.random(len(cell))
    order = random.permutation(int(cell.max(initial=-1)) + 1)
    cells = {"train": cell, "probe": cell if probe_cell is None else probe_cell, "validation": cell}
    if cluster is None:
        return _walk(cells, split, images, preference, order, np.arange(len(cell)), False)
    first = _walk(cells, split, images, preference, order, cluster, False)
    if _is_even(first, cells, images):
        return first
    second = _walk(cells, split, images, preference, order, cluster, True)
    return second if _is_even(second, cells, images) else first


def _walk(
    cells: dict[str, np.ndarray],
    split: np.ndarray,
    images: Images,
    preference: np.ndarray,
    order: np.ndarray,
    cluster: np.ndarray,
    largest_first: bool,
) -> Split:
    """Fill train, probe and validation in turn from clusters that no part before has."""
    # A cluster stands in line where its first image does, so large ones are not preferred.
    preferred = preference[np.unique(cluster, return_index=True)[1]]
    owner = np.full(len(preferred), -1)  # the part that a cluster belongs to
    index = {}
    for turn, (part, cell) in enumerate(cells.items()):
        free = (cell >= 0) & (owner[cluster] < 0)
        if part == "train":
            free &= split == TRAIN
        candidates = np.flatnonzero(free)
        mine, of = cell[candidates], cluster[candidates]
        capacity = np.bincount(mine, minlength=len(order))
        quota = allocate(min(getattr(images, part), int(capacity.sum())), capacity, np.roll(order, turn))
        later = np.zeros(len(mine)) if part == "train" else split[candidates] != HELD_OUT
        place = np.full(len(owner), np.inf)
        np.minimum.at(place, of, later)
        if largest_first and part == "train":
            place -= np.bincount(of, minlength=len(owner))
        place += preferred
        # Cell by cell the first of this order: what filling all cells at once, cluster by cluster, would choose.
        rank = _rank(mine, np.lexsort((later + preference[candidates], of, place[of], mine)))
        index[part] = candidates[rank < quota[mine]]
        owner[cluster[index[part]]] = turn
    held_out = sum(int((split[index[part]] == HELD_OUT).sum()) for part in ("validation", "probe"))
    inside = (cells["train"] >= 0) | (cells["probe"] >= 0)
    chosen = sum(map(len, index.values()))
    return Split(index, held_out, int((inside & (owner[cluster] >= 0)).sum()) - chosen)


def _is_even(found: Split, cells: dict[str, np.ndarray], images: Images) -> bool:
    """Tell whether every part has all its images, the same number of every cell to one image."""
    for part, cell in cells.items():
        counts = np.bincount(cell[found.index[part]], minlength=int(cell.max(initial=0)) + 1)
        if counts.sum() < getattr(images, part) or counts.max() - counts.min() > 1:
            return False
    return True


def _rank(cell: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Position of every image within its cell, in an order that goes through cell after cell."""
    ordered = cell[order]
    rank = np.empty(len(cell), dtype=np.int64)
    rank[order] = np.arange(len(cell)) - np.searchsorted(ordered, ordered, side="left")
    return rank
