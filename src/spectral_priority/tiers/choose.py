"""Which classes a tier is made of: those with enough images, sampled or nested in chains (METHODS 8)."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from ..config.tiers import Images, ImagesPerClass
from .split import generator


class Supply(NamedTuple):
    """How many images each class has in the data set's own splits, (class,) int each."""

    train: np.ndarray
    held_out: np.ndarray

    def enough(self, classes: int, images: Images | ImagesPerClass, floor: int) -> np.ndarray:
        """Return which classes can fill their part of a tier of that many classes, (class,) bool.

        A class needs its share of the training images, and at least `floor`, in the training split; and its share of
        validation and probe images in the held-out split or left over in the training split.
        """
        train, rest = needs(classes, images)
        return (self.train >= max(train, floor)) & (self.held_out + self.train - train >= rest)


def needs(classes: int, images: Images | ImagesPerClass) -> tuple[int, int]:
    """Return the most images that a class of a balanced tier needs: to train on; for validation and probe together.

    >>> needs(3, Images(train=100, validation=10, probe=9))
    (34, 7)
    >>> needs(3, ImagesPerClass(train=100, validation=10, probe=9))
    (100, 19)
    """
    if isinstance(images, ImagesPerClass):
        return images.train, images.validation + images.probe
    return ceil(images.train / classes), ceil(images.validation / classes) + ceil(images.probe / classes)


def totals(classes: int, images: Images | ImagesPerClass) -> Images:
    """Return how many images a tier of that many classes has.

    >>> totals(3, ImagesPerClass(train=100, validation=10, probe=9))
    Images(train=300, validation=30, probe=27)
    """
    if isinstance(images, Images):
        return images
    return Images(**{part: classes * number for part, number in images.model_dump().items()})


def sample(
    supply: Supply,
    images: Images | ImagesPerClass,
    floor: int,
    count: int,
    nested: bool,
    seed: int,
    draw: int,
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
