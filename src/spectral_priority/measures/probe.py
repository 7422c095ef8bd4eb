"""The images a measure is taken on: a tier's probe images, and training images for batch-norm statistics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.images import PackedImages
from ..data.manifest import Manifest
from ..errors import InputError
from .draws import keyed_uniform


@dataclass(frozen=True)
class Probe:
    """Images, labels and identities of a probe.

    Attributes
    ----------
    images : ndarray (n, y, x, channel) uint8
        Pixels as they are packed.
    labels : ndarray (n,) int64
        Classes of the tier, 0 … k−1.
    image_ids : ndarray (n,) int64
        Index of each image in the packed data set: random draws and jackknife groups follow from it, so that
        the order of the images can't matter.
    class_names : list of str
        Names of the k classes.
    training : ndarray (m, y, x, channel) uint8
        Training images from which measured copies recompute their batch-norm statistics; may be empty.
    """

    images: np.ndarray
    labels: np.ndarray
    image_ids: np.ndarray
    class_names: list[str]
    training: np.ndarray

    def __post_init__(self):
        if not len(self.images) == len(self.labels) == len(self.image_ids):
            raise InputError(
                "probe",
                f"found {len(self.images)} images, {len(self.labels)} labels and {len(self.image_ids)} image ids",
                "the same number of each",
            )


def read_probe(packed: PackedImages, manifest: Manifest, training_images: int = 0) -> Probe:
    """Read a tier's probe images and a seeded sample of its training images.

    Parameters
    ----------
    packed, manifest
        The data set and the tier.
    training_images : int
        How many training images to sample for batch-norm statistics (all, where the tier has fewer).
    """
    index, train = manifest.index["probe"], manifest.index["train"]
    if not len(index):
        raise InputError(
            f"tier {manifest.facts['tier']}", "has no probe images", todo="set images.probe above 0"
        )
    order = np.argsort(keyed_uniform(int(manifest.facts["seed"]), train), kind="stable")
    return Probe(
        images=packed.pixels[index],
        labels=manifest.label["probe"],
        image_ids=index,
        class_names=manifest.class_names,
        training=packed.pixels[np.sort(train[order[:training_images]])],
    )
