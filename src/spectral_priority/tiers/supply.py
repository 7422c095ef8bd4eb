"""How many images every class has, and whether they fill its part of a tier, with clusters of images kept whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

import numpy as np

from ..config.tiers import Images, ImagesPerClass
from ..data.images import HELD_OUT, TRAIN, PackedImages
from ..data.together import Together, contradicting


class Clusters(NamedTuple):
    """A class's images that belong together, in clusters of decreasing numbers of training images.

    Attributes
    ----------
    trained : ndarray (cluster + 1,) int
        Training images of the first clusters: of none, of one, …
    left, largest : ndarray (cluster + 1,) int
        Images of all the other clusters, and of the largest of them.
    """

    trained: np.ndarray
    left: np.ndarray
    largest: np.ndarray

    def fill(self, train: int, rest: int) -> bool:
        """Tell whether the first clusters hold the training images, and the others the rest whatever their order.

        Where validation takes over from the probe, the images of one cluster at most are lost.
        """
        taken = int(np.searchsorted(self.trained, train))
        return taken < len(self.left) and bool(self.left[taken] - max(0, self.largest[taken] - 1) >= rest)


@dataclass(frozen=True)
class Supply:
    """Images of each class in the data set's own splits.

    Attributes
    ----------
    train, held_out : ndarray (class,) int
        Their numbers.
    clusters : dict of int to Clusters
        Of the classes of which some images belong together.
    """

    train: np.ndarray
    held_out: np.ndarray
    clusters: dict[int, Clusters] = field(default_factory=dict)

    def enough(self, classes: int, images: Images | ImagesPerClass, floor: int) -> np.ndarray:
        """Return which classes can fill their part of a tier of that many classes, (class,) bool.

        A class needs its share of the training images, and at least `floor`, in the training split; and its share of
        validation and probe images in the held-out split or left over in the training split, in other clusters.
        """
        train, rest = needs(classes, images)
        found = (self.train >= max(train, floor)) & (self.held_out + self.train - train >= rest)
        for number, clusters in self.clusters.items():
            found[number] &= clusters.fill(train, rest)
        return found


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


def supply_of(images: PackedImages, label: str, together: Together | None = None) -> Supply:
    """Count the images of every class of a label.

    Parameters
    ----------
    images : PackedImages
    label : str
        Label column.
    together : Together, optional
        Which images belong together. Those with the very pixels of an image of another class aren't counted.
    """
    number, labels = len(images.classes[label]), images.labels(label)
    if together is None:
        splits = (labels[images.split == split] for split in (TRAIN, HELD_OUT))
        return Supply(*(np.bincount(own, minlength=number) for own in splits))
    good = np.flatnonzero(~contradicting(together.picture, labels))
    own, held_out = labels[good], images.split[good] == HELD_OUT
    # A row per class and cluster: its training and its held-out images.
    pairs, row = np.unique(np.stack([own, together.cluster[good]]), axis=1, return_inverse=True)
    counts = np.stack(
        [np.bincount(row.reshape(-1)[part], minlength=pairs.shape[1]) for part in (~held_out, held_out)]
    )
    clusters = {}
    for kind in np.unique(pairs[0, counts.sum(axis=0) > 1]):
        train, held = counts[:, pairs[0] == kind]
        order = np.lexsort((-held, -train))
        train, size = train[order], (train + held)[order]
        behind = np.cumsum(size[::-1])[::-1]
        largest = np.maximum.accumulate(size[::-1])[::-1]
        clusters[int(kind)] = Clusters(
            np.concatenate([[0], np.cumsum(train)]), np.append(behind, 0), np.append(largest, 0)
        )
    return Supply(
        np.bincount(own[~held_out], minlength=number), np.bincount(own[held_out], minlength=number), clusters
    )
