"""What a data set can't give is refused before anything is chosen, by the study's field, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..data.images import HELD_OUT, TRAIN, PackedImages
from ..data.manifest import Manifest
from ..errors import InputError
from .choose import Supply, needs


def check_label(images: PackedImages, label: str, field: str) -> None:
    """Refuse a label column that the data set doesn't have."""
    if label not in images.label_columns:
        raise InputError(
            field,
            f"found {label!r}, but data set {images.name} has no such label",
            ", ".join(images.label_columns),
        )


def check_level(level: str, levels: Sequence[str], field: str) -> None:
    """Refuse a level that the family doesn't list."""
    if level not in levels:
        raise InputError(field, f"level {level!r} is not listed", ", ".join(levels))


def number_of(level: str, levels: Sequence[int], field: str) -> int:
    """Return a level that is a number of classes; refuse one that the family doesn't list."""
    check_level(level, [str(one) for one in levels], field)
    return int(level)


def check_number(images: PackedImages, options: Any, classes: int, field: str) -> None:
    """Refuse more classes than the label has."""
    exist = len(images.classes[options.label])
    if classes > exist:
        raise InputError(
            field,
            f"found {classes}, but label {options.label!r} of data set {images.name} has {exist} classes",
            f"at most {exist}",
        )


def check_floor(options: Any, classes: int, field: str, family: str) -> None:
    """Refuse a tier whose classes would get fewer training images than the floor."""
    share = options.images.train // classes
    if share < options.floor:
        raise InputError(
            field,
            f"found {classes}: {options.images.train} training images are {share} per class",
            f"at least {options.floor} per class (tiers.{family}.floor), so at most "
            f"{options.images.train // options.floor} classes",
            f"raise tiers.{family}.images.train to {options.floor * classes}, lower the floor, or ask for fewer",
        )


def supply_for(images: PackedImages, options: Any, classes: int, field: str, family: str) -> Supply:
    """Return how many images every class has; refuse a tier for which too few classes have enough."""
    names = images.classes[options.label]
    labels = images.labels(options.label)
    train, held_out = (
        np.bincount(labels[images.split == split], minlength=len(names)) for split in (TRAIN, HELD_OUT)
    )
    supply = Supply(train, held_out)
    enough = int(supply.enough(classes, options.images, options.floor).sum())
    if enough < classes:
        to_train, rest = needs(classes, options.images)
        raise InputError(
            field,
            f"found {classes}, but only {enough} of the {len(names)} classes of label {options.label!r} have enough "
            f"images: each needs {max(to_train, options.floor)} to train on and {rest} for validation and probe, and "
            f"the classes have {_range(train)} in the training split and {_range(held_out)} held out",
            f"at most {enough} classes with these numbers of images",
            f"lower tiers.{family}.images, or ask for another number of classes",
        )
    return supply


def check_similarity(
    images: PackedImages, options: Any, similarity: np.ndarray | None, field: str, found: str, instead: str
) -> None:
    """Refuse a family that needs a similarity of classes where there is none."""
    if similarity is None:
        raise InputError(
            field, f"found {found!r}, but no similarity was given", todo="give --similarity <file>"
        )
    if np.isnan(similarity).all(where=~np.eye(len(similarity), dtype=bool)):
        raise InputError(
            field,
            f"found {found!r}, but label {options.label!r} of data set {images.name} has no such similarity",
            instead,
            f"choose {instead}, or give the data set a hierarchy and pack it again",
        )


def check_data(images: PackedImages, manifest: Manifest) -> None:
    """Refuse a tier that was made from other images."""
    found, expected = manifest.facts["data_sha256"], images.content_sha256
    if found != expected:
        raise InputError(
            f"tier {manifest.facts['tier']}",
            f"was made from images with content {found[:12]}…",
            f"the content of {images.path}, {expected[:12]}…",
            "delete the tier; the tier rule makes it again",
        )


def _range(counts: np.ndarray) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low} to {high}"
