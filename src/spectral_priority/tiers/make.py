"""From a family's options to one tier: its classes, its images, and what is known about it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..config.tiers import ClassCount, Control, Labels, Regroup, Similarity
from ..data.images import TRAIN, PackedImages
from ..data.manifest import PARTS, Manifest
from ..errors import InputError
from ..similarity import mean_between
from .choose import alike, sample
from .groups import Groups, hierarchy_groups, random_groups
from .refusals import (
    check_data,
    check_floor,
    check_label,
    check_level,
    check_number,
    check_similarity,
    number_of,
    supply_for,
)
from .split import Split, generator, split_images

SHOWN_TITLES = 3
"""A group of more classes is titled by its first ones."""


def make_tier(
    images: PackedImages,
    options: Labels | Regroup | ClassCount | Similarity,
    family: str,
    level: str,
    draw: int,
    similarity: np.ndarray | None = None,
) -> Manifest:
    """Make a tier of any family but a control's.

    Parameters
    ----------
    images : PackedImages
        The data set.
    options : Labels, Regroup, ClassCount or Similarity
        The family's options.
    family, level : str
        Name of the family; the level (a label column, k, or near/mid/far).
    draw : int
        Number of the draw, from 0.
    similarity : ndarray (class, class), optional
        Of the label's classes; for `similarity` families and for `regroup` along the hierarchy.

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
    make = {"labels": _labels, "regroup": _regroup, "count": _count, "similarity": _similarity}[options.kind]
    return make(images, options, family, level, draw, similarity)


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
        "control": level,
        "of": options.of,
    }
    return Manifest(facts, of.index, {**of.label, "train": shuffled})


def _labels(images, options, family, level, draw, similarity) -> Manifest:
    """All label columns see the images that are chosen evenly over the combinations of all labels."""
    for column in options.labels:
        check_label(images, column, f"tiers.{family}.labels")
    check_level(level, options.labels, f"tiers.{family}.labels")
    columns = np.stack([images.labels(column) for column in options.labels], axis=1)
    cell = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
    wanted, trainable = options.images, int((images.split == TRAIN).sum())
    asked = wanted.train + wanted.validation + wanted.probe
    if wanted.train > trainable or asked > len(images.split):
        raise InputError(
            f"tiers.{family}.images",
            f"found {wanted.train} training + {wanted.validation} validation + {wanted.probe} probe images, but data "
            f"set {images.name} has {trainable} in its training split and {len(images.split) - trainable} held out",
            "no more images than there are",
            f"lower tiers.{family}.images",
        )
    split = split_images(cell, images.split, wanted, options.seed, draw)
    for column in options.labels:
        names = images.classes[column]
        counts = np.bincount(images.labels(column)[split.index["train"]], minlength=len(names))
        if counts.min() < options.floor:
            raise InputError(
                f"tiers.{family}.labels",
                f"found {column!r}, whose class {names[int(counts.argmin())]!r} gets {counts.min()} training images",
                f"at least {options.floor} per class (tiers.{family}.floor)",
                f"raise tiers.{family}.images.train, lower the floor, or leave this label out",
            )
    groups = [[position] for position in range(len(images.classes[level]))]
    return _manifest(images, options, family, level, draw, level, groups, split)


def _regroup(images, options, family, level, draw, similarity) -> Manifest:
    """K classes and their images belong to the seed alone; level and draw only group them."""
    field = f"tiers.{family}"
    check_label(images, options.label, f"{field}.label")
    groups = number_of(level, options.groups, f"{field}.groups")
    check_number(images, options, options.classes, f"{field}.classes")
    check_floor(options, groups, f"{field}.groups", family)
    supply = supply_for(images, options, options.classes, f"{field}.classes", family)
    members = sample(supply, options.images, options.floor, options.classes, False, options.seed, 0)
    mean = None
    if options.along == "hierarchy":
        check_similarity(images, options, similarity, f"{field}.along", options.along, "random")
        inside = similarity[np.ix_(members, members)]
        grouping = hierarchy_groups(inside, groups, options.seed, draw, f"{field}.draws")
        mean = mean_between(inside, grouping)[0]
    else:
        grouping = random_groups(options.classes, groups, options.seed, draw, f"{field}.draws")
    grouping = [[int(members[position]) for position in group] for group in grouping]
    split = _split(images, options, members)
    excluded = ~supply.enough(options.classes, options.images, options.floor)
    return _manifest(
        images, options, family, level, draw, options.label, grouping, split, excluded, mean_similarity=mean
    )


def _count(images, options, family, level, draw, similarity) -> Manifest:
    """k classes at random."""
    field = f"tiers.{family}.counts"
    check_label(images, options.label, f"tiers.{family}.label")
    count = number_of(level, options.counts, field)
    check_number(images, options, count, field)
    check_floor(options, count, field, family)
    supply = supply_for(images, options, count, field, family)
    rule = (supply, options.images, options.floor, count, options.nested, options.seed)
    chosen = sample(*rule, draw)
    earlier = [sample(*rule, number) for number in range(draw)]
    overlap = float(np.isin(chosen, np.concatenate(earlier)).mean()) if earlier else None
    return _manifest(
        images,
        options,
        family,
        level,
        draw,
        options.label,
        [[int(one)] for one in chosen],
        _split(images, options, chosen, draw),
        ~supply.enough(count, options.images, options.floor),
        chain=f"{family}-d{draw}" if options.nested else None,
        overlap=overlap,
    )


def _similarity(images, options, family, level, draw, similarity) -> Manifest:
    """k classes by how alike they are."""
    field = f"tiers.{family}"
    check_label(images, options.label, f"{field}.label")
    check_level(level, options.levels, f"{field}.levels")
    check_number(images, options, options.classes, f"{field}.classes")
    check_floor(options, options.classes, f"{field}.classes", family)
    supply = supply_for(images, options, options.classes, f"{field}.classes", family)
    check_similarity(images, options, similarity, f"{field}.by", options.by, "feature")
    enough = supply.enough(options.classes, options.images, options.floor)
    pool = np.flatnonzero(enough)
    choice = alike(similarity[np.ix_(pool, pool)], options.classes, level, options.seed, draw)
    groups: Groups = [[int(one)] for one in pool[choice.classes]]
    return _manifest(
        images,
        options,
        family,
        level,
        draw,
        options.label,
        groups,
        _split(images, options, pool[choice.classes], draw),
        ~enough,
        mean_similarity=mean_between(similarity, groups)[0],
        overlap=choice.overlap if draw else None,
    )


def _split(images: PackedImages, options: Any, members: np.ndarray, *key: object) -> Split:
    """Images of some classes, evenly over the classes."""
    cell_of = np.full(len(images.classes[options.label]), -1, dtype=np.int64)
    cell_of[members] = np.arange(len(members))
    return split_images(
        cell_of[images.labels(options.label)], images.split, options.images, options.seed, *key
    )


def _manifest(
    images: PackedImages,
    options: Any,
    family: str,
    level: str,
    draw: int,
    label: str,
    groups: Groups,
    split: Split,
    excluded: np.ndarray | None = None,
    chain: str | None = None,
    mean_similarity: float | None = None,
    overlap: float | None = None,
) -> Manifest:
    names = images.classes[label]
    group_of = np.full(len(names), -1, dtype=np.int64)
    for number, group in enumerate(groups):
        group_of[group] = number
    labels = {part: group_of[images.labels(label)[split.index[part]]] for part in PARTS}
    facts = {
        "tier": _name(family, level, draw),
        "family": family,
        "kind": options.kind,
        "level": level,
        "draw": draw,
        "chain": chain,
        "dataset": images.name,
        "label": label,
        "data_sha256": images.content_sha256,
        "seed": options.seed,
        "classes": [
            _class(images, [names[one] for one in group], number) for number, group in enumerate(groups)
        ],
        "number_of_classes": len(groups),
        "images": {part: len(split.index[part]) for part in PARTS},
        "held_out": split.held_out,
        "mean_similarity": mean_similarity,
        "overlap": overlap,
        "control": None,
        "of": None,
        "excluded": [] if excluded is None else [names[one] for one in np.flatnonzero(excluded)],
    }
    return Manifest(facts, split.index, labels)


def _class(images: PackedImages, members: list[str], number: int) -> dict[str, Any]:
    titles = [images.titles.get(name, name) for name in members]
    if len(members) == 1:
        return {"name": members[0], "title": titles[0], "members": members}
    more = len(titles) - SHOWN_TITLES
    title = ", ".join(titles[:SHOWN_TITLES]) + (f" and {more} more" if more > 0 else "")
    return {"name": f"group-{number}", "title": title, "members": members}


def _name(family: str, level: str, draw: int) -> str:
    return f"{family}-{level}-d{draw}"
