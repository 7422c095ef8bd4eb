"""From a family's options to one tier: its classes, its images, and what is known about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config.tiers import Control, CountPerClass, Family
from ..data.images import PackedImages
from ..data.manifest import PARTS, Manifest
from ..data.together import Pairs, belonging_together
from ..errors import InputError
from . import families
from .refusals import check_data
from .request import Request
from .split import generator

CHOOSE = {
    "labels": families.labels,
    "regroup": families.regroup,
    "count": families.count,
    "count-per-class": families.count,
    "similarity": families.similarity,
    "superclasses": families.superclasses,
}
NO_TIER_DEPENDS_ON = {"draws", "seeds", "recipes"}
"""Options of a family that say how many tiers there are, and how they are trained."""
SHOWN_TITLES = 3
"""A group of more classes is titled by its first ones."""


def make_tier(
    images: PackedImages,
    options: Family,
    family: str,
    level: str,
    draw: int,
    similarity: np.ndarray | None = None,
    duplicates: Pairs | None = None,
) -> Manifest:
    """Make a tier of any family but a control's.

    Parameters
    ----------
    images : PackedImages
        The data set.
    options : Labels, Regroup, ClassCount, CountPerClass, Similarity or Superclasses
        The family's options.
    family, level : str
        Name of the family; the level (a label column, k, near/mid/far, or a depth).
    draw : int
        Number of the draw, from 0.
    similarity : ndarray (class, class), optional
        Of the label's classes; for `similarity` families and for `regroup` along one.
    duplicates : Pairs, optional
        Pairs of images that show the same; none are known by default.

    Returns
    -------
    Manifest
        Without its hashes: `write_manifest` adds them. The same arguments give the same manifest, and it does not
        depend on how many draws or levels the family has.

    Raises
    ------
    InputError
        Naming the study's field, where the data set can't give what is asked for.
    """
    together = belonging_together(images, options.apart, duplicates)
    chosen = CHOOSE[options.kind](Request(images, options, family, level, draw, similarity, together))
    names = images.classes[chosen.label]
    class_of = np.full(len(names), -1, dtype=np.int64)
    for number, group in enumerate(chosen.groups):
        class_of[group] = number
        if chosen.held_back:
            class_of[chosen.held_back[number]] = number
    index = chosen.split.index
    label = {part: class_of[images.labels(chosen.label)[index[part]]] for part in PARTS}
    facts = {
        "tier": _name(family, level, draw),
        "family": family,
        "kind": options.kind,
        "level": level,
        "draw": draw,
        "chain": None,
        "dataset": images.name,
        "label": chosen.label,
        "data_sha256": images.content_sha256,
        "seed": options.seed,
        "options": _options(options, level),
        "classes": [_class(images, chosen, number) for number in range(len(chosen.groups))],
        "number_of_classes": len(chosen.groups),
        "images": {part: len(index[part]) for part in PARTS},
        "budget": _budget(options, label["train"]),
        "held_out": chosen.split.held_out,
        "apart": {
            "by": options.apart,
            "pairs": together.pairs if together else 0,
            "left_out": chosen.split.left_out,
            "contradicting": chosen.contradicting,
        },
        "by": None,
        "mean_similarity": None,
        "similarity_range": None,
        "overlap": None,
        "overlaps": [],
        "exploratory": None,
        "control": None,
        "of": None,
        "excluded": [names[one] for one in np.flatnonzero(chosen.excluded)],
        **chosen.facts,
    }
    return Manifest(facts, index, label)


def make_control(
    images: PackedImages, options: Control, of: Manifest, family: str, level: str, draw: int
) -> Manifest:
    """Make a control: a tier with its training labels shuffled over its training images.

    Validation and probe labels are untouched, so is the number of training images of every class.

    Parameters
    ----------
    images : PackedImages
        The data set, for its fingerprint.
    options : Control
        The family's options.
    of : Manifest
        The tier that is shuffled.
    family, level : str
        Name of the family; the kind of control.
    draw : int
        Number of the draw, from 0.

    Raises
    ------
    InputError
        Where the manifest is not the tier that the options name, or was made from other images.
    """
    if of.facts["tier"] != options.of or of.facts["control"] is not None:
        raise InputError(
            f"tiers.{family}.of",
            f"found the manifest of {of.facts['tier']!r}"
            + (" which is a control itself" if of.facts["control"] else ""),
            f"the manifest of {options.of!r}, a tier that is no control",
        )
    check_data(images, of)
    shuffled = generator(options.seed, level, draw).permutation(of.label["train"])
    facts = {
        **{key: value for key, value in of.facts.items() if not key.endswith("_sha256")},
        "tier": _name(family, level, draw),
        "family": family,
        "kind": options.kind,
        "level": level,
        "draw": draw,
        "data_sha256": of.facts["data_sha256"],
        "seed": options.seed,
        "options": _options(options, level),
        "control": level,
        "of": options.of,
    }
    return Manifest(facts, of.index, {**of.label, "train": shuffled})


def _options(options: Family | Control, level: str) -> dict[str, Any]:
    """The options that this one tier follows from; other levels and draws change nothing of it."""
    found = options.model_dump(mode="json", exclude=NO_TIER_DEPENDS_ON)
    if options.kind != "labels":  # its images are chosen evenly over all listed labels
        found[options.LEVELS] = [one for one in found[options.LEVELS] if str(one) == level]
    return found


def _budget(options: Family, label: np.ndarray) -> dict[str, Any]:
    """What is equal in all tiers of the family, and the training images in all and per class of the tier."""
    counts = np.bincount(label)
    return {
        "equal": "images per class" if isinstance(options, CountPerClass) else "images in total",
        "train": len(label),
        "train_per_class": [int(counts.min()), int(counts.max())],
    }


def _class(images: PackedImages, chosen: families.Chosen, number: int) -> dict[str, Any]:
    names = images.classes[chosen.label]
    members = [names[one] for one in chosen.groups[number]]
    titles = [images.titles.get(name, name) for name in members]
    more = len(titles) - SHOWN_TITLES
    title = ", ".join(titles[:SHOWN_TITLES]) + (f" and {more} more" if more > 0 else "")
    if chosen.names:
        name = chosen.names[number]
        title = images.titles.get(name, f"{name}: {title}")
    else:
        name = members[0] if len(members) == 1 else f"group-{number}"
    entry: dict[str, Any] = {"name": name, "title": title, "members": members}
    if chosen.held_back:
        entry["held_back"] = [names[one] for one in chosen.held_back[number]]
    return entry


def _name(family: str, level: str, draw: int) -> str:
    return f"{family}-{level}-d{draw}"
