"""Which images belong together: a patient's, and those that show the same; not measured on if trained on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .duplicates import read_duplicates
from .images import TRAIN, PackedImages


class Pairs(NamedTuple):
    """Pairs of images that show the same: the very same pixels, or nearly. (pair, 2) int64 each."""

    identical: np.ndarray
    near: np.ndarray


def load_pairs(path: str | Path, number: int) -> Pairs:
    """Read the duplicates of a data set of that many images from duplicates.csv."""
    return Pairs(*(read_duplicates(path, number, kind) for kind in Pairs._fields))


class Together(NamedTuple):
    """Images that belong together.

    Attributes
    ----------
    cluster : ndarray (sample,) int64
        Images of the same number belong together.
    picture : ndarray (sample,) int64
        Images of the same number have the same pixels.
    pairs : int
        Pairs of duplicates that were looked at.
    """

    cluster: np.ndarray
    picture: np.ndarray
    pairs: int


def belonging_together(images: PackedImages, apart: str, duplicates: Pairs | None) -> Together | None:
    """Join images of one group and duplicates to clusters.

    Parameters
    ----------
    images : PackedImages
    apart : {"near", "identical", "none"}
        The family's option: which duplicates to join; `none` joins nothing, groups neither.
    duplicates : Pairs, optional
        None: none are known.

    Returns
    -------
    Together or None
        None where no image belongs together with another.
    """
    number, nothing = len(images), np.zeros((0, 2), dtype=np.int64)
    if apart == "none":
        return None
    identical, near = duplicates or Pairs(nothing, nothing)
    pairs = np.concatenate([identical, near]) if apart == "near" else identical
    grouped = np.flatnonzero(images.group >= 0)
    first, place = np.unique(images.group[grouped], return_index=True, return_inverse=True)[1:]
    links = np.stack([grouped, grouped[first][place]], axis=1)
    cluster = components(number, np.concatenate([links, pairs]))
    if int(cluster.max(initial=-1)) + 1 == number:
        return None
    return Together(cluster, components(number, identical), len(pairs))


def seen_in_training(
    images: PackedImages, index: np.ndarray, apart: str, duplicates: Pairs | None
) -> np.ndarray:
    """Find images that belong together with one of the training split, whichever of those a tier takes.

    Parameters
    ----------
    images : PackedImages
    index : ndarray (n,) int
        Places of the images.
    apart, duplicates
        As for `belonging_together`.

    Returns
    -------
    ndarray (n,) bool
    """
    together = belonging_together(images, apart, duplicates)
    if together is None:
        return np.zeros(len(index), dtype=bool)
    return np.isin(together.cluster[index], together.cluster[images.split == TRAIN])


def components(number: int, pairs: np.ndarray) -> np.ndarray:
    """Return the connected component of every image when pairs are joined, (number,) int64.

    >>> components(5, np.array([[0, 3], [3, 4]])).tolist()
    [0, 1, 2, 0, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(pairs), dtype=bool), pairs.T), shape=(number, number))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def contradicting(picture: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Find images whose very pixels the task also has under another class: which label is true can't be known.

    Parameters
    ----------
    picture : ndarray (sample,) int
        Images of the same number have the same pixels.
    cell : ndarray (sample,) int
        Class of every image; −1: not in the task.

    Returns
    -------
    ndarray (sample,) bool

    Examples
    --------
    >>> contradicting(np.array([0, 0, 1, 1, 2]), np.array([4, 5, 4, 4, 5])).tolist()
    [True, True, False, False, False]
    """
    inside = cell >= 0
    number = int(picture.max(initial=-1)) + 1
    low, high = np.full(number, np.iinfo(np.int64).max), np.full(number, -1)
    np.minimum.at(low, picture[inside], cell[inside])
    np.maximum.at(high, picture[inside], cell[inside])
    return inside & (low[picture] < high[picture])
