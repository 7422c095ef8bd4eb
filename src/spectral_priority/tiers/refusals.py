"""What a data set can't give is refused before anything is chosen, by the study's field, with the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..config.tiers import Images, ImagesPerClass
from ..data.images import PackedImages
from ..data.manifest import PARTS, Manifest
from ..data.together import Together
from ..errors import InputError
from .split import Split
from .supply import Supply, needs, supply_of


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
    if isinstance(options.images, ImagesPerClass):
        if options.images.train < options.floor:
            raise InputError(
                f"tiers.{family}.images.train",
                f"found {options.images.train} per class",
                f"at least {options.floor} (tiers.{family}.floor)",
                "raise it, or lower the floor",
            )
        return
    share = options.images.train // classes
    if share < options.floor:
        raise InputError(
            field,
            f"found {classes}: {options.images.train} training images are {share} per class",
            f"at least {options.floor} per class (tiers.{family}.floor), so at most "
            f"{options.images.train // options.floor} classes",
            f"raise tiers.{family}.images.train to {options.floor * classes}, lower the floor, or ask for fewer",
        )


def supply_for(
    images: PackedImages, options: Any, classes: int, field: str, family: str, together: Together | None
) -> Supply:
    """Return how many images every class has; refuse a tier for which too few classes have enough."""
    names, supply = images.classes[options.label], supply_of(images, options.label, together)
    enough = int(supply.enough(classes, options.images, options.floor).sum())
    if enough < classes:
        to_train, rest = needs(classes, options.images)
        raise InputError(
            field,
            f"found {classes}, but only {enough} of the {len(names)} classes of label {options.label!r} have enough "
            f"images: each needs {max(to_train, options.floor)} to train on and {rest} for validation and probe, and "
            f"the classes have {_range(supply.train)} in the training split and {_range(supply.held_out)} held out"
            + (", some of which belong together and so stay in one part" if supply.clusters else ""),
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


def check_root(images: PackedImages, options: Any, edges: Sequence[tuple[str, str]], field: str) -> None:
    """Refuse superclasses of a data set without a hierarchy, or below a node that it doesn't have."""
    nodes = {node for edge in edges for node in edge}
    if options.root in nodes:
        return
    tops = sorted({parent for parent, _ in edges} - {child for _, child in edges})
    raise InputError(
        field,
        f"found {options.root!r}, but "
        + (
            f"the hierarchy of label {options.label!r} of data set {images.name} has no such node"
            if nodes
            else f"label {options.label!r} of data set {images.name} has no hierarchy"
        ),
        f"a node of it, such as {', '.join(tops[:5])}" if nodes else "",
        "" if nodes else "give the data set a hierarchy and pack it again",
    )


def check_superclasses(
    options: Any, found: int, members: dict[str, list[int]], depth: int, family: str
) -> None:
    """Refuse a depth at which fewer than two nodes have enough subclasses."""
    if found >= 2:
        return
    most = sorted(map(len, members.values()), reverse=True)
    raise InputError(
        f"tiers.{family}.depths",
        f"found {depth}: of the {len(members)} nodes so far below {options.root}, {found} "
        f"ha{'s' if found == 1 else 've'} {options.subclasses} subclasses with enough images",
        "at least 2 such nodes; the largest have " + (", ".join(map(str, most[:5])) or "none"),
        f"choose another depth, or lower tiers.{family}.subclasses or tiers.{family}.images",
    )


def check_split(
    split: Split,
    cells: dict[str, np.ndarray],
    wanted: Images,
    names: dict[str, list[str]],
    family: str,
    even: bool,
) -> None:
    """Refuse a tier whose parts can't be filled, or not evenly, since images that belong together stay in one part.

    Parameters
    ----------
    split : Split
        What was found.
    cells : dict of ndarray (sample,)
        Cell of every image, by part.
    wanted : Images
        How many images each part was to get.
    names : dict of list of str
        What to call the cells, by part.
    family : str
    even : bool
        Refuse a part that has fewer images of one cell than of another, by more than one.
    """
    for part in PARTS:
        asked = getattr(wanted, part)
        counts = np.bincount(cells[part][split.index[part]], minlength=len(names[part]))
        if counts.sum() == asked and not (even and counts.max() - counts.min() > 1):
            continue
        least = names[part][int(counts.argmin())]
        raise InputError(
            f"tiers.{family}.images.{part}",
            f"found {asked}, but images that belong together (of one patient, or duplicates) stay in one part, which "
            f"leaves {counts.sum()}"
            + (f": {counts.min()} of {least!r}, {counts.max()} of others" if even else ""),
            "as many as there are with every cluster of images in one part, and as many of each class",
            f"lower tiers.{family}.images, or keep less together (tiers.{family}.apart)",
        )


def check_known(
    images: PackedImages, options: Any, similarity: np.ndarray, members: np.ndarray, needed: int, field: str
) -> None:
    """Refuse a family whose classes have no similarity to each other: those with no image that counts.

    Parameters
    ----------
    members : ndarray (class,) int
        The classes that may be taken.
    needed : int
        How many of them are.
    """
    unknown = members[~has_similarity(similarity)[members]]
    if len(members) - len(unknown) < needed:
        names = [images.classes[options.label][one] for one in unknown]
        raise InputError(
            field,
            f"{len(unknown)} of {len(members)} classes have no such similarity ({', '.join(names[:5])})",
            f"at least {needed} classes that have one",
            "choose another similarity, or give these classes training images that are not of one colour",
        )


def has_similarity(similarity: np.ndarray) -> np.ndarray:
    """Return which classes have a similarity to any other, (class,) bool.

    >>> has_similarity(np.array([[1, 0.5, np.nan], [0.5, 1, np.nan], [np.nan, np.nan, 1]])).tolist()
    [True, True, False]
    """
    return np.isfinite(similarity).sum(axis=1) > 1


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
