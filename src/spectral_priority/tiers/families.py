"""What each family of tiers chooses: classes, how they are grouped, and their images (METHODS 8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.images import TRAIN
from ..data.manifest import PARTS
from ..errors import InputError
from ..similarity import mean_between
from .alike import alike, overlaps
from .choose import sample
from .groups import Groups, hierarchy_groups, random_groups
from .refusals import (
    check_floor,
    check_known,
    check_label,
    check_level,
    check_number,
    check_root,
    check_similarity,
    check_superclasses,
    has_similarity,
    number_of,
    supply_for,
)
from .request import Request, images_of_cells, images_of_classes
from .split import Split
from .superclasses import members_at, sample_subclasses
from .supply import supply_of

CIRCULAR = "classes chosen by their spectra, which is circular: never of a primary hypothesis"
UNEQUAL = "equal images per class, not in total: never of a primary hypothesis"


@dataclass(frozen=True)
class Chosen:
    """Classes and images of a tier.

    Attributes
    ----------
    label : str
        Label column.
    groups : list of list of int
        The data set's classes behind each class of the tier; in order.
    split : Split
    excluded : ndarray (class,) bool
        Classes that could not be chosen, for they have too few images.
    contradicting : int
        Images left out since the tier has their very pixels under another class, too.
    names : list of str
        Names of the classes, where they are not those of their members.
    held_back : list of list of int
        Classes that only the probe shows, per class of the tier.
    facts : dict
        What only some families know.
    """

    label: str
    groups: Groups
    split: Split
    excluded: np.ndarray
    contradicting: int
    names: list[str] | None = None
    held_back: Groups | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def labels(asked: Request) -> Chosen:
    """All label columns see the images that are chosen evenly over the combinations of all labels."""
    images, options, where = asked.images, asked.options, f"tiers.{asked.family}"
    for column in options.labels:
        check_label(images, column, f"{where}.labels")
    check_level(asked.level, options.labels, f"{where}.labels")
    columns = np.stack([images.labels(column) for column in options.labels], axis=1)
    cell = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
    wanted, trainable = options.images, int((images.split == TRAIN).sum())
    if wanted.train > trainable or wanted.train + wanted.validation + wanted.probe > len(images.split):
        raise InputError(
            f"{where}.images",
            f"found {wanted.train} training + {wanted.validation} validation + {wanted.probe} probe images, but data "
            f"set {images.name} has {trainable} in its training split and {len(images.split) - trainable} held out",
            "no more images than there are",
            f"lower {where}.images",
        )
    called = [str(number) for number in range(cell.max() + 1)]
    every_part = dict.fromkeys(PARTS, cell), dict.fromkeys(PARTS, called)
    split, dropped = images_of_cells(asked, *every_part, asked.draw, even=False)
    for column in options.labels:
        names = images.classes[column]
        counts = np.bincount(images.labels(column)[split.index["train"]], minlength=len(names))
        if counts.min() < options.floor:
            raise InputError(
                f"{where}.labels",
                f"found {column!r}, whose class {names[int(counts.argmin())]!r} gets {counts.min()} training images",
                f"at least {options.floor} per class ({where}.floor)",
                f"raise {where}.images.train, lower the floor, or leave this label out",
            )
    classes = len(images.classes[asked.level])
    return Chosen(
        asked.level, [[one] for one in range(classes)], split, np.zeros(classes, dtype=bool), dropped
    )


def regroup(asked: Request) -> Chosen:
    """K classes and their images belong to the seed alone; level and draw only group them."""
    images, options, where = asked.images, asked.options, f"tiers.{asked.family}"
    check_label(images, options.label, f"{where}.label")
    groups = number_of(asked.level, options.groups, f"{where}.groups")
    check_number(images, options, options.classes, f"{where}.classes")
    check_floor(options, groups, f"{where}.groups", asked.family)
    supply = supply_for(images, options, options.classes, f"{where}.classes", asked.family, asked.together)
    members = sample(supply, options.images, options.floor, options.classes, False, options.seed, 0)
    mean = None
    if options.along == "random":
        grouping = random_groups(options.classes, groups, options.seed, asked.draw, f"{where}.draws")
    else:
        check_similarity(images, options, asked.similarity, f"{where}.along", options.along, "random")
        check_known(images, options, asked.similarity, members, options.classes, f"{where}.along")
        inside = asked.similarity[np.ix_(members, members)]
        grouping = hierarchy_groups(inside, groups, options.seed, asked.draw, f"{where}.draws")
        mean = mean_between(inside, grouping)[0]
    split, dropped = images_of_classes(asked, members)
    return Chosen(
        options.label,
        [[int(members[position]) for position in group] for group in grouping],
        split,
        ~supply.enough(options.classes, options.images, options.floor),
        dropped,
        facts={"mean_similarity": mean, "by": None if options.along == "random" else options.along},
    )


def count(asked: Request) -> Chosen:
    """k classes at random; equal images in total, or per class."""
    images, options, where = asked.images, asked.options, f"tiers.{asked.family}.counts"
    check_label(images, options.label, f"tiers.{asked.family}.label")
    number = number_of(asked.level, options.counts, where)
    check_number(images, options, number, where)
    check_floor(options, number, where, asked.family)
    supply = supply_for(images, options, number, where, asked.family, asked.together)
    rule = (supply, options.images, options.floor, number, options.nested, options.seed)
    chosen, *earlier = [sample(*rule, draw) for draw in (asked.draw, *range(asked.draw))]
    split, dropped = images_of_classes(asked, chosen, asked.draw)
    return Chosen(
        options.label,
        [[int(one)] for one in chosen],
        split,
        ~supply.enough(number, options.images, options.floor),
        dropped,
        facts={
            "chain": f"{asked.family}-d{asked.draw}" if options.nested else None,
            "overlap": float(np.isin(chosen, np.concatenate(earlier)).mean()) if earlier else None,
            "overlaps": overlaps(chosen, earlier),
            "exploratory": UNEQUAL if options.kind == "count-per-class" else None,
        },
    )


def similarity(asked: Request) -> Chosen:
    """k classes by how alike they are."""
    images, options, where = asked.images, asked.options, f"tiers.{asked.family}"
    check_label(images, options.label, f"{where}.label")
    check_level(asked.level, options.levels, f"{where}.levels")
    check_number(images, options, options.classes, f"{where}.classes")
    check_floor(options, options.classes, f"{where}.classes", asked.family)
    supply = supply_for(images, options, options.classes, f"{where}.classes", asked.family, asked.together)
    check_similarity(images, options, asked.similarity, f"{where}.by", options.by, "feature")
    enough = supply.enough(options.classes, options.images, options.floor)
    check_known(
        images, options, asked.similarity, np.flatnonzero(enough), options.classes, f"{where}.classes"
    )
    enough &= has_similarity(asked.similarity)
    pool = np.flatnonzero(enough)
    choice = alike(
        asked.similarity[np.ix_(pool, pool)], options.classes, asked.level, options.seed, asked.draw
    )
    groups = [[int(one)] for one in pool[choice.classes]]
    split, dropped = images_of_classes(asked, pool[choice.classes], asked.draw)
    return Chosen(
        options.label,
        groups,
        split,
        ~enough,
        dropped,
        facts={
            "by": options.by,
            "mean_similarity": mean_between(asked.similarity, groups)[0],
            "similarity_range": [choice.farthest, choice.nearest],
            "overlap": choice.overlap if asked.draw else None,
            "overlaps": choice.overlaps,
            "exploratory": CIRCULAR if options.by == "spectral" else None,
        },
    )


def superclasses(asked: Request) -> Chosen:
    """Every node at a depth is a class, with n of the classes below it; or half of them, the others for the probe."""
    images, options, where = asked.images, asked.options, f"tiers.{asked.family}"
    check_label(images, options.label, f"{where}.label")
    depth = number_of(asked.level, options.depths, f"{where}.depths")
    edges = images.hierarchy(options.label)
    check_root(images, options, edges, f"{where}.root")
    members = members_at(images.classes[options.label], edges, options.root, depth)
    fitting = {node: below for node, below in members.items() if len(below) >= options.subclasses}
    shifted = options.shift == "subclasses"
    own = options.subclasses // 2 if shifted else options.subclasses  # of a superclass, in one part
    supply = supply_of(images, options.label, asked.together)
    while True:  # with fewer superclasses each class needs more images, so others may fall out in turn
        check_superclasses(options, len(fitting), members, depth, asked.family)
        check_floor(options, len(fitting), f"{where}.depths", asked.family)
        enough = supply.enough(own * len(fitting), options.images, options.floor)
        chosen = sample_subclasses(fitting, enough, options.subclasses, options.seed, depth, asked.draw)
        if len(chosen) == len(fitting):
            break
        fitting = {node: fitting[node] for node in chosen}
    trained = [sorted(below[:own]) for below in chosen.values()]
    held_back = [sorted(below[own:]) for below in chosen.values()] if shifted else None
    earlier = [
        sample_subclasses(fitting, enough, options.subclasses, options.seed, depth, draw)
        for draw in range(asked.draw)
    ]
    before = [np.array([one for below in draw.values() for one in below[:own]]) for draw in earlier]
    split, dropped = images_of_classes(
        asked, np.concatenate(trained), asked.draw, probe=np.concatenate(held_back) if held_back else None
    )
    return Chosen(
        options.label,
        trained,
        split,
        ~enough,
        dropped,
        names=list(chosen),
        held_back=held_back,
        facts={
            "overlap": float(np.isin(np.concatenate(trained), np.concatenate(before)).mean())
            if before
            else None,
            "overlaps": overlaps(np.concatenate(trained), before),
        },
    )
