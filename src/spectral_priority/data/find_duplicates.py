"""Finding images that show the same: identical pixels by their fingerprints, near-duplicates by their thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .duplicates import Duplicates
from .images import BLOCK_BYTES, PackedImages
from .packed_file import sha256_of
from .thumbnails import SIDE, thumbnails

NEAR = 2.0
"""Root mean square difference of two thumbnails, in grey levels of 0 … 255, up to which images are near-duplicates."""
LEAST_CORRELATION = 0.95
"""Of two thumbnails: pale images are not near-duplicates because all of their differences are small."""
LEAST_CONTRAST = 4.0
"""Standard deviation of a thumbnail in grey levels below which an image shows too little to be compared."""
USUAL_CONTRAST = 50.0
"""To which thumbnails are stretched where images of another contrast are looked for."""
DIRECTIONS = 12
"""Principal components that a tree searches: distances in them are never larger than those of whole thumbnails."""
CANDIDATES = 1 << 21
"""Pairs that are looked at together."""


def find_duplicates(
    images: PackedImages, progress: Callable[[int], object] = lambda images: None
) -> Duplicates:
    """Find all identical images and near-duplicates of a data set.

    Parameters
    ----------
    images : PackedImages
    progress : callable
        Told how many images were just read.

    Returns
    -------
    Duplicates

    Notes
    -----
    No pair is missed: candidates come from a k-d tree on principal components, which can only shorten distances, and
    every candidate is held against the definition. Images of hardly any contrast have no near-duplicates.
    """
    content, small = _look(images, progress)
    copies = np.bincount(content, minlength=len(images))
    contrast = np.sqrt(np.square(small, dtype=np.float32).mean(axis=1))
    shown = np.flatnonzero((copies > 0) & (contrast >= LEAST_CONTRAST))
    forest = _Forest(len(images), copies, images.split, content)
    stretched = (small[shown] / contrast[shown, None] * USUAL_CONTRAST).astype(np.float16)
    for form, other in ((small[shown], stretched), (stretched, small[shown])):
        for first, second, distance in _close_pairs(form):
            alike = _correlation(form, first, second) >= LEAST_CORRELATION
            if other is not stretched:  # these pairs were found before
                alike &= _distance(other, first, second) > NEAR
            forest.add(shown[first[alike]], shown[second[alike]], distance[alike])
    return forest.finish()


class _Forest:
    """Pairs as they are found, of which only a shortest tree of every cluster is kept."""

    def __init__(self, number: int, copies: np.ndarray, split: np.ndarray, content: np.ndarray):
        self.number, self.copies, self.content = number, copies, content
        self.in_split = [np.bincount(content[split == value], minlength=number) for value in (0, 1)]
        self.split = split
        self.near = np.zeros(number, dtype=np.int64)
        self.near_in = [np.zeros(number, dtype=np.int64) for _ in self.in_split]
        self.first, self.second = (np.empty(0, dtype=np.int64) for _ in range(2))
        self.distance = np.empty(0)

    def add(self, first: np.ndarray, second: np.ndarray, distance: np.ndarray) -> None:
        """Take in pairs of near-duplicates of different content, each pair once."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import minimum_spanning_tree

        if not len(first):
            return
        for one, other in ((first, second), (second, first)):
            np.add.at(self.near, one, self.copies[other])
            for total, there in zip(self.near_in, self.in_split, strict=True):
                np.add.at(total, one, there[other])
        rows, columns = np.concatenate([self.first, first]), np.concatenate([self.second, second])
        lengths = (
            np.concatenate([self.distance, distance]) + 1.0
        )  # of zero length SciPy takes an edge for none
        square = (self.number, self.number)
        tree = minimum_spanning_tree(coo_array((lengths, (rows, columns)), shape=square).tocsr()).tocoo()
        self.first, self.second, self.distance = *np.sort(np.stack(tree.coords), axis=0), tree.data - 1.0

    def finish(self) -> Duplicates:
        again = np.flatnonzero(self.content != np.arange(self.number))
        first = np.concatenate([self.content[again], self.first]).astype(np.int64)
        second = np.concatenate([again, self.second]).astype(np.int64)
        distance = np.concatenate([np.zeros(len(again)), self.distance])
        identical = np.arange(len(first)) < len(again)
        order = np.lexsort((second, first))
        there = [(own + near)[self.content] for own, near in zip(self.in_split, self.near_in, strict=True)]
        return Duplicates(
            first[order],
            second[order],
            identical[order],
            distance[order],
            self.copies[self.content] - 1,
            self.near[self.content],
            np.where(self.split == 0, there[1], there[0]) > 0,
        )


def _look(images: PackedImages, progress: Callable[[int], object]) -> tuple[np.ndarray, np.ndarray]:
    """Return for every image the first one with the same pixels (itself, mostly), and its thumbnail."""
    seen: dict[bytes, int] = {}
    content = np.empty(len(images), dtype=np.int64)
    small = np.empty((len(images), SIDE * SIDE), dtype=np.float16)
    step = max(1, BLOCK_BYTES // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        index = np.arange(start, min(start + step, len(images)))
        pixels = images.read(index)
        small[index] = thumbnails(pixels)
        for number, image in zip(index, pixels, strict=True):
            content[number] = seen.setdefault(sha256_of(image), int(number))
        progress(len(index))
    return content, small


def _close_pairs(points: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield all pairs of points (n, 256) whose root mean square difference is at most NEAR, in pieces."""
    from scipy.spatial import cKDTree

    if len(points) < 2:
        return
    reach = NEAR * SIDE
    projected = _projected(points)
    tree = cKDTree(projected)
    found = tree.query_ball_point(projected, reach, return_length=True)
    ends = np.cumsum(found)
    start = 0
    while start < len(points):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + CANDIDATES, side="right")))
        lists = tree.query_ball_point(projected[start:end], reach)
        second = np.concatenate([np.asarray(one, dtype=np.int64) for one in lists])
        first = np.repeat(np.arange(start, end), found[start:end])
        later = second > first
        first, second = first[later], second[later]
        distance = _distance(points, first, second)
        near = distance <= NEAR
        yield first[near], second[near], distance[near]
        start = end


def _projected(points: np.ndarray) -> np.ndarray:
    covariance = np.zeros((points.shape[1],) * 2)
    parts = np.array_split(points, max(1, len(points) // 8192))
    for part in parts:
        values = part.astype(np.float64)
        covariance += values.T @ values
    directions = np.linalg.eigh(covariance)[1][:, -DIRECTIONS:]
    # Shortened by a hair, so that rounding can't push a pair out of reach.
    return np.concatenate([part.astype(np.float64) @ directions for part in parts]) * (1 - 1e-9)


def _distance(points: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return _over_pairs(lambda one, other: np.sqrt(np.square(one - other).mean(axis=1)), points, first, second)


def _correlation(points: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return _over_pairs(
        lambda one, other: (
            (one * other).sum(axis=1) / np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
        ),
        points,
        first,
        second,
    )


def _over_pairs(value: Callable, points: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    result = np.empty(len(first))
    for start in range(0, len(first), 1 << 15):
        part = slice(start, start + (1 << 15))
        result[part] = value(points[first[part]].astype(np.float64), points[second[part]].astype(np.float64))
    return result
