"""Families of tiers: tasks made from one data set so that they can be compared (METHODS 8)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from .base import Count, Name, Section, Seed

SIMILARITIES = ("hierarchy", "path", "feature", "spectral")
"""Kinds of class similarity (METHODS 7)."""


class Images(Section):
    """Images of every tier of a family; validation and probe are never trained on."""

    train: Count = 5000
    """Training images, the same number in every tier of the family."""
    validation: Count = 500
    """Images for validation accuracy and per-class scores."""
    probe: Count = 500
    """Held-out images on which measures are taken."""


class ImagesPerClass(Section):
    """Images of every class of every tier of a family; validation and probe are never trained on."""

    train: Count = 500
    """Training images of a class."""
    validation: Count = 50
    """Images of a class for validation accuracy and per-class scores."""
    probe: Count = 50
    """Held-out images of a class on which measures are taken."""


class Family(Section):
    """What every family of tiers has."""

    LEVELS: ClassVar[str]
    """The field that lists the levels."""

    dataset: Name
    """Name of the data set."""
    images: Images = Images()
    """How many images each tier gets."""
    floor: Count = 50
    """Fewest training images per class; tiers below it are refused."""
    apart: Literal["near", "identical", "none"] = "near"
    """Images that never lie in two parts of a tier: those of one group (patient), and those that show the same, being
    `near`-duplicates or `identical` in every pixel; `none`: nothing but the image itself is kept to one part."""
    draws: Count = 2
    """Independent samples of classes or groupings."""
    seeds: Count | None = None
    """Training repetitions of each tier; null: the study's."""
    recipes: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Recipes that its tiers are trained with; null: all of the study's."""
    seed: Seed = 0
    """Seed of the draws."""

    @property
    def levels_listed(self) -> tuple[str, ...]:
        """The levels, as tiers are called."""
        return tuple(str(level) for level in getattr(self, self.LEVELS))


class Labels(Family):
    """The same images under several labels (level = name of the label)."""

    LEVELS: ClassVar[str] = "labels"

    kind: Literal["labels"]
    labels: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Label columns of the data set; all tiers of one draw share their images."""
    draws: Count = 1
    """Independent samples of images."""


class Regroup(Family):
    """One fixed image set of K classes relabelled into k groups (level = k): only the label map changes."""

    LEVELS: ClassVar[str] = "groups"

    kind: Literal["regroup"]
    label: Name = "class"
    """Label column whose classes are regrouped."""
    classes: Annotated[Count, Field(ge=2)]
    """K, sampled once with the seed; every draw regroups the same classes and images."""
    groups: Annotated[tuple[Annotated[Count, Field(ge=2)], ...], Field(min_length=1)]
    """The values of k; where k = K there is one grouping only, and so one draw."""
    along: Literal["random", "hierarchy", "path", "feature"] = "random"
    """Groups at random (equal sizes), or neighbours together: in the hierarchy (by Wu–Palmer or by paths), or in the
    reference space."""


class ClassCount(Family):
    """k sampled classes with equal numbers of images and steps (level = k)."""

    LEVELS: ClassVar[str] = "counts"

    kind: Literal["count"]
    label: Name = "class"
    """Label column that the classes are sampled from."""
    counts: Annotated[tuple[Annotated[Count, Field(ge=2)], ...], Field(min_length=1)]
    """The values of k."""
    nested: bool = False
    """The classes of a smaller count are among those of the next larger one of the same draw (a chain)."""


class CountPerClass(ClassCount):
    """k sampled classes with equal numbers of images per class (level = k), so unequal ones per tier: exploratory."""

    kind: Literal["count-per-class"]
    images: ImagesPerClass = ImagesPerClass()
    """How many images each class gets; steps are the recipe's, so more classes see each image less often."""


class Similarity(Family):
    """k classes that are alike or not (level = near, mid, far), by a similarity of the classes."""

    LEVELS: ClassVar[str] = "levels"

    kind: Literal["similarity"]
    label: Name = "class"
    """Label column that the classes are chosen from."""
    classes: Annotated[Count, Field(ge=2)]
    """k, the same for every level."""
    by: Literal["hierarchy", "path", "feature", "spectral"] = "hierarchy"
    """Similarity: Wu–Palmer or path length in the hierarchy, or closeness of class means in the reference space. One
    computed from spectra is circular (METHODS 8): for exploration, and never of a primary hypothesis."""
    levels: Annotated[tuple[Literal["near", "mid", "far"], ...], Field(min_length=1)] = ("near", "far")
    """Levels of mean pairwise similarity."""


class Superclasses(Family):
    """Nodes of the hierarchy as classes, each with equally many of the classes below it (level = depth): BREEDS."""

    LEVELS: ClassVar[str] = "depths"

    kind: Literal["superclasses"]
    label: Name = "class"
    """Label column whose classes are the subclasses."""
    root: str
    """Node of the hierarchy below which superclasses are looked for, such as an entity or a living thing; its name as
    in the hierarchy's edges."""
    depths: Annotated[tuple[Count, ...], Field(min_length=1)]
    """Edges from the root down to the superclasses. Every node there with enough subclasses is one."""
    subclasses: Count = 4
    """Subclasses of every superclass, sampled; nodes with fewer are left out."""
    shift: Literal["none", "subclasses"] = "none"
    """`subclasses`: half of them are trained on and validated, the probe shows the other half, never trained on."""

    @model_validator(mode="after")
    def _halves_are_whole(self):
        if self.shift == "subclasses" and self.subclasses % 2:
            raise ValueError(
                f"subclasses: found {self.subclasses}, which has no half; shift needs an even number"
            )
        return self


class Control(Section):
    """Another tier with its training labels shuffled; controls never enter a correlation.

    Its images are those of that tier. The other control, the untrained model, is the checkpoint at step 0 of every run.
    """

    LEVELS: ClassVar[str] = "controls"

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

    @property
    def levels_listed(self) -> tuple[str, ...]:
        """The levels, as tiers are called."""
        return self.controls


TierFamily = Annotated[
    Labels | Regroup | ClassCount | CountPerClass | Similarity | Superclasses | Control,
    Field(discriminator="kind"),
]
