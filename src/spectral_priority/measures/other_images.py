"""Images of another data set to measure a model on: those of the tier's classes, or the same ones for every tier."""

from __future__ import annotations

import numpy as np

from ..config.measures import OtherImages
from ..data.images import HELD_OUT, PackedImages
from ..data.manifest import Manifest
from ..data.together import Pairs, seen_in_training
from ..errors import InputError
from .draws import keyed_uniform


def choose_images(
    other: PackedImages,
    manifest: Manifest,
    options: OtherImages,
    duplicates: Pairs | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose held-out images of another data set, or of the tier's own.

    Of its own those are left out that belong together with an image of the training split, whether the tier takes that
    one or not: so the images are the same for all tiers. The tier's option `apart` says what belongs together.

    Parameters
    ----------
    other : PackedImages
        Of the size and colour of the tier's images.
    manifest : Manifest
        The tier, whose classes are found by the names of their members.
    options : OtherImages
    duplicates : Pairs, optional
        Of the tier's own data set; needed where the tier was made with some.

    Returns
    -------
    index : ndarray (n,) int64
        Into the other data set, ascending.
    labels : ndarray (n,) int64
        Classes of the tier; 0 where they are to be predicted.

    Raises
    ------
    InputError
        Where the data set has no held-out images, or not the tier's label column; where a class of the tier has no
        held-out image there, by name.
    """
    held_out = np.flatnonzero(other.split == HELD_OUT)
    if not len(held_out):
        raise InputError(
            f"probe.dataset: {other.name}",
            "has no held-out images",
            todo="name its folder in held_out_split",
        )
    apart = manifest.facts.get("apart", {"by": "none", "pairs": 0})
    if other.content_sha256 == manifest.facts.get("data_sha256"):
        if apart["pairs"] and duplicates is None:
            raise InputError(
                f"tier {manifest.facts['tier']}",
                f"kept {apart['pairs']} pairs of images together, and the probe is of the same data set",
                todo="give --probe-duplicates",
            )
        held_out = held_out[~seen_in_training(other, held_out, apart["by"], duplicates)]
    labels = np.zeros(len(held_out), dtype=np.int64)
    if options.labels == "own":
        labels = _classes_of(other, held_out, manifest)
        held_out, labels = held_out[labels >= 0], labels[labels >= 0]
    order = np.lexsort((held_out, keyed_uniform(options.seed, held_out)))
    chosen = np.sort(order[: options.images])
    if left_out := _without_images(manifest, labels[chosen]) if options.labels == "own" else []:
        raise InputError(
            f"probe.images: {options.images}",
            f"leaves no image of {', '.join(left_out)}",
            todo="take more images, or all (null)",
        )
    return held_out[chosen], labels[chosen]


def _classes_of(other: PackedImages, index: np.ndarray, manifest: Manifest) -> np.ndarray:
    """The tier's class of each image, by the name of its class in the other data set; −1: of none."""
    column = manifest.facts["label"]
    other.check_column(column)
    names = other.classes[column]
    member_of = {
        member: number
        for number, entry in enumerate(manifest.facts["classes"])
        for member in entry["members"]
    }
    class_of = np.array([member_of.get(name, -1) for name in names], dtype=np.int64)
    present = np.bincount(other.labels(column)[index], minlength=len(names)) > 0
    there = {name for name, some in zip(names, present, strict=True) if some}
    if missing := [name for name in member_of if name not in there]:
        raise InputError(
            f"probe.dataset: {other.name}",
            f"has no held-out images of {', '.join(missing)}, classes of the tier {manifest.facts['tier']}",
            f"images of all its classes under the label {column!r}, by the same names",
            "add them, or make the tier from classes that both data sets have",
        )
    return class_of[other.labels(column)[index]]


def _without_images(manifest: Manifest, labels: np.ndarray) -> list[str]:
    counts = np.bincount(labels, minlength=manifest.number_of_classes)
    return [name for name, count in zip(manifest.class_names, counts, strict=True) if count == 0]
