"""Pairs of images within and between classes: which ones, and standard errors where pairs share images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .draws import keyed_uniform


def image_pairs(
    labels: np.ndarray, image_ids: np.ndarray, number: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Choose pairs of images of one class, in turn from each class, and pairs of images of two classes.

    No pair is chosen twice. Pairs come in rounds that use an image at most once, so that paths share as few images as
    classes allow. The choice follows from (seed, image ids): not from the order of the images.

    Parameters
    ----------
    labels, image_ids : ndarray (n,)
    number : int
        Most pairs of either kind; fewer where there are fewer.
    seed : int

    Returns
    -------
    within, between : ndarray (pairs, 2)
        Positions of images; of shape (0, 2) where there is no such pair.

    Examples
    --------
    >>> within, between = image_pairs(np.array([0, 0, 1, 1, 1]), np.arange(5), 4)
    >>> within.shape, between.shape
    ((4, 2), (4, 2))
    """
    order = np.argsort(keyed_uniform(seed, image_ids), kind="stable")
    classes = np.unique(labels)
    classes = classes[np.argsort(keyed_uniform(seed, classes), kind="stable")]
    of_class = [_first(_rounds(order[labels[order] == one]), number) for one in classes]
    turn = np.concatenate([np.arange(len(pairs)) for pairs in of_class])
    within = np.concatenate(of_class)[np.argsort(turn, kind="stable")][:number]
    if len(classes) < 2:
        return within, np.empty((0, 2), dtype=np.int64)
    apart = (pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]] for pairs in _rounds(order))
    return within, _first(apart, number)


def pair_error(influence: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return the standard error of a sum over pairs of which some share an image.

    Contributions of pairs without a common image are independent; the variance is the sum of products over all pairs
    of pairs that have one (Aronow, Samii, Assenova 2015, Political Analysis 23), and no less than if none had.

    Parameters
    ----------
    influence : ndarray (pairs, …)
        What each pair adds, its expectation removed: (v − mean) ÷ n for a mean.
    pairs : ndarray (pairs, 2)

    Examples
    --------
    For pairs without common images it is the usual standard error, here with n for n − 1.

    >>> v = np.array([1.0, 2.0, 6.0])
    >>> bool(np.isclose(pair_error((v - 3) / 3, np.arange(6).reshape(3, 2)), v.std() / 3**0.5))
    True
    """
    images, position = np.unique(pairs, return_inverse=True)
    sums = np.zeros((len(images), *influence.shape[1:]))
    for end in position.reshape(-1, 2).T:
        np.add.at(sums, end, influence)
    independent = (influence**2).sum(axis=0)
    return np.sqrt(np.maximum((sums**2).sum(axis=0) - independent, independent))


def _rounds(images: np.ndarray) -> Iterator[np.ndarray]:
    """All pairs of images, in rounds that use each image at most once: the circle method of round-robin tournaments."""
    count = len(images)
    turning = count - 1 + count % 2  # an odd number; with an even count the last image stays in its place
    step = np.arange(1, (turning + 1) // 2)
    for number in range(turning if count > 1 else 0):
        pairs = np.stack([(number + step) % turning, (number - step) % turning], axis=1)
        if count % 2 == 0:
            pairs = np.concatenate([[[turning, number]], pairs])
        yield images[pairs]


def _first(parts: Iterator[np.ndarray], number: int) -> np.ndarray:
    found, left = [np.empty((0, 2), dtype=np.int64)], number
    for pairs in parts:
        found.append(pairs[:left])
        left -= len(found[-1])
        if left == 0:
            break
    return np.concatenate(found)
