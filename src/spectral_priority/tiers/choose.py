"""Which classes a tier is made of: those with enough images, sampled or nested in chains (METHODS 8)."""

from __future__ import annotations

import numpy as np

from ..config.tiers import Images, ImagesPerClass
from .split import generator
from .supply import Supply


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
