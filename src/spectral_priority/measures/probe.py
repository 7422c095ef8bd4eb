"""The images a measure is taken on: a tier's probe images, and training images for batch-norm statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..config.measures import OtherImages
from ..config.recipe import Recipe
from ..data.images import PackedImages
from ..data.manifest import Manifest
from ..data.together import Pairs
from ..errors import InputError
from ..training.batches import BATCH_NORM, fixed_sample
from ..training.examples import training_examples
from .chosen_pixels import ChosenPixels
from .other_images import choose_images
from .pooled_energy import pooled_energy

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Probe:
    """Images, labels and identities of a probe.

    Attributes
    ----------
    images : ndarray or ChosenPixels (n, y, x, channel) uint8
        Pixels as they are packed; those of a pack are mapped, so that a measure holds no more than it looks at.
    labels : ndarray (n,) int64
        Classes of the tier, 0 … k−1.
    image_ids : ndarray (n,) int64
        Index of each image in the packed data set: random draws and jackknife groups follow from it, so that
        the order of the images can't matter.
    class_names : list of str
        Names of the k classes.
    training : ndarray (m, y, x, channel) uint8
        Training images from which measured copies recompute their batch-norm statistics; may be empty.
    columns : dict of ndarray (n,) int64
        Classes of the same images under every label column of the data set.
    column_names : dict of list of str
        Names of these classes.
    predicted : bool
        Labels are to be the classes that a model predicts (`predicted_labels`); until then they are 0.
    earlier : xarray.Dataset or None
        What another instance found at the same checkpoint, for a measure that goes on from there (`masks`).
    """

    images: np.ndarray | ChosenPixels
    labels: np.ndarray
    image_ids: np.ndarray
    class_names: list[str]
    training: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    column_names: Mapping[str, list[str]] = field(default_factory=dict)
    predicted: bool = False
    earlier: xr.Dataset | None = None

    def __post_init__(self):
        if not len(self.images) == len(self.labels) == len(self.image_ids):
            raise InputError(
                "probe",
                f"found {len(self.images)} images, {len(self.labels)} labels and {len(self.image_ids)} image ids",
                "the same number of each",
            )

    @cached_property
    def energy(self) -> np.ndarray:
        """`pooled_energy` of the images, (N, N//2 + 1): worked out once for all checkpoints."""
        return pooled_energy(self.images)


def read_probe(
    packed: PackedImages,
    manifest: Manifest,
    recipe: Recipe,
    training_images: int = 0,
    options: OtherImages | None = None,
    other: PackedImages | None = None,
    duplicates: Pairs | None = None,
) -> Probe:
    """Read a tier's probe images, or those of another data set, and the fixed sample of a run's training images.

    Parameters
    ----------
    packed, manifest
        The data set and the tier.
    recipe : Recipe
        The run's, which may learn from a part of the tier only.
    training_images : int
        How many training images to take for batch-norm statistics (all, where there are fewer): those of which the
        training itself recomputes them.
    options : OtherImages, optional
        Which images of another data set to take instead; batch-norm statistics still are of the run's training images.
    other : PackedImages, optional
        That data set.
    duplicates : Pairs, optional
        Of it, where it is the tier's own.

    Raises
    ------
    InputError
        Where there are no such images, and as `choose_images`.
    """
    train, _ = training_examples(manifest, recipe)
    index, labels = manifest.index["probe"], manifest.label["probe"]
    if not len(index):
        raise InputError(
            f"tier {manifest.facts['tier']}", "has no probe images", todo="set images.probe above 0"
        )
    seen = packed
    if options is not None:
        index, labels = choose_images(other, manifest, options, duplicates)
        seen = other
    return Probe(
        images=seen.read(index) if seen.is_encoded else ChosenPixels(seen.checked_pixels(index), index),
        labels=labels,
        image_ids=index,
        class_names=manifest.class_names,
        training=packed.read(train[fixed_sample(len(train), training_images, BATCH_NORM)]),
        columns={column: seen.labels(column)[index].astype(np.int64) for column in seen.label_columns},
        column_names=seen.classes,
        predicted=options is not None and options.labels == "predicted",
    )
