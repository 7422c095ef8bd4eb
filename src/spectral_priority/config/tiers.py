"""Families of tiers: tasks made from one data set so that they can be compared (METHODS 8)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Name, Section, Seed


class Images(Section):
    """Images of every tier of a family; validation and probe are never trained on."""

    train: Count = 5000
    """Training images, the same number in every tier of the family."""
    validation: Count = 500
    """Images for validation accuracy and per-class scores."""
    probe: Count = 500
    """Held-out images on which measures are taken."""


class Family(Section):
    """What every family of tiers has."""

    dataset: Name
    """Name of the data set."""
    images: Images = Images()
    """How many images each tier gets."""
    floor: Count = 50
    """Fewest training images per class; tiers below it are refused."""
    draws: Count = 2
    """Independent samples of classes or groupings."""
    seeds: Count | None = None
    """Training repetitions of each tier; null: the study's."""
    recipes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Recipes that its tiers are trained with; null: all of the study's."""
    seed: Seed = 0
    """Seed of the draws."""


class Labels(Family):
    """The same images under several labels (level = name of the label)."""

    kind: Literal["labels"]
    labels: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Label columns of the data set; all tiers of one draw share their images."""
    draws: Count = 1
    """Independent samples of images."""


class Regroup(Family):
    """One fixed image set of K classes relabelled into k groups (level = k): only the label map changes."""

    kind: Literal["regroup"]
    label: Name = "class"
    """Label column whose classes are regrouped."""
    classes: Annotated[Count, Field(ge=2)]
    """K, sampled once with the seed; every draw regroups the same classes and images."""
    groups: Annotated[tuple[Annotated[Count, Field(ge=2)], ...], Field(min_length=1)]
    """The values of k; where k = K there is one grouping only, and so one draw."""
    along: Literal["random", "hierarchy"] = "random"
    """Groups at random (equal sizes), or neighbours in the hierarchy together."""


class ClassCount(Family):
    """k sampled classes with equal numbers of images and steps (level = k)."""

    kind: Literal["count"]
    label: Name = "class"
    """Label column that the classes are sampled from."""
    counts: Annotated[tuple[Annotated[Count, Field(ge=2)], ...], Field(min_length=1)]
    """The values of k."""
    nested: bool = False
    """The classes of a smaller count are among those of the next larger one of the same draw (a chain)."""


class Similarity(Family):
    """k classes that are alike or not (level = near, mid, far), by a similarity of the classes."""

    kind: Literal["similarity"]
    label: Name = "class"
    """Label column that the classes are chosen from."""
    classes: Annotated[Count, Field(ge=2)]
    """k, the same for every level."""
    by: Literal["hierarchy", "feature"] = "hierarchy"
    """Similarity: Wu–Palmer in the hierarchy, or closeness of class means in the reference space.
    One computed from spectra would be circular (METHODS 8) and is not offered."""
    levels: Annotated[tuple[Literal["near", "mid", "far"], ...], Field(min_length=1)] = ("near", "far")
    """Levels of mean pairwise similarity."""


class Control(Section):
    """Another tier with its training labels shuffled; controls never enter a correlation.

    Its images are those of that tier. The other control, the untrained model, is the checkpoint at step 0 of every run.
    """

    kind: Literal["control"]
    of: Name
    """Name of the tier whose labels are shuffled."""
    controls: Annotated[tuple[Literal["shuffled"], ...], Field(min_length=1)] = ("shuffled",)
    """Kinds of control (level)."""
    draws: Count = 1
    """Independent shufflings."""
    seeds: Count | None = None
    """Training repetitions of each tier; null: the study's."""
    recipes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Recipes that its tiers are trained with; null: all of the study's."""
    seed: Seed = 0
    """Seed of the shufflings."""


TierFamily = Annotated[Labels | Regroup | ClassCount | Similarity | Control, Field(discriminator="kind")]
