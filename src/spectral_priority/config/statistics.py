"""Which numbers are correlated, and the claims that a study makes before it is run."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from .base import Count, Fraction, Name, Real, Section, Seed

Scalar = Literal[
    "centroid", "power_centroid", "median_frequency", "low_share", "mid_share", "high_share",
    "slope", "entropy", "top_share",
]  # fmt: skip
Learning = Literal["validation_accuracy", "fixed_train_accuracy", "gap"]
"""How well a run learned, at its last checkpoint; `gap` is accuracy on fixed training images − on validation images."""
LEARNING: tuple[str, ...] = get_args(Learning)
Distinctive = Literal["distinctiveness", "contrast"]
"""How distinctive a class's spectrum is: by the signs that ADCS counts, or by the size of the difference."""
Reading = Literal["last", "matched-loss", "mean"]


class Reference(Section):
    """The one fixed space in which feature-space complexity of every tier is computed (METHODS 7)."""

    components: Count = 64
    """Principal components, unwhitened."""
    images: Count = 20000
    """Most images of the whole data set that the components are fitted on."""
    seed: Seed = 0
    """Seed of that sample."""
    weights: str | None = None
    """File below data_root with a network's weights (safetensors, or a state dict of torchvision): the components are
    then those of its features, what its head takes, instead of those of the pixels. Pixels are normalised as
    torchvision's weights expect; grey images are shown in all three channels."""
    model: str | None = None
    """Name of that network, a classifier of torchvision (`resnet18`)."""
    size: Count | None = None
    """Side in pixels that images are resized to for that network (bilinear); null: as they are packed."""

    @model_validator(mode="after")
    def _a_network_has_name_and_weights(self):
        if (self.weights is None) != (self.model is None):
            raise ValueError(
                "found one of weights and model without the other; give both, or neither for pixels"
            )
        if self.size is not None and self.weights is None:
            raise ValueError("size is the network's, and there is no network; leave it out, or give weights")
        return self


class Complexity(Section):
    """Complexity of tasks."""

    reference: Reference = Reference()
    """The fixed reference space."""
    images: Count = 5000
    """Most training images of a tier that nearest neighbours are looked for among (N3, CSG, TwoNN), sampled with the
    seed."""
    pairs: Count = 1500
    """Most of these that enter measures of all pairs of images (silhouette, label low-frequency ratio)."""
    seed: Seed = 0
    """Seed of that sample."""


class Statistics(Section):
    """Correlation of priority with complexity (METHODS 9)."""

    scalar: Scalar = "centroid"
    """Scalar of the primary hypotheses."""
    matched_fraction: Fraction = 0.5
    """Loss on fixed training images ÷ label entropy at which tiers are compared."""
    robustness_fractions: tuple[Fraction, ...] = (0.7, 0.3)
    """Further fractions, reported beside it."""
    permutations: Count = 9999
    """Random permutations where there are too many to go through all."""
    resamples: Count = 999
    """Resamples of a bootstrap interval, which there is from ten draws on."""
    confidence: Annotated[Real, Field(gt=0, lt=1)] = 0.95
    """Level of every interval."""
    seed: Seed = 0
    """Seed of permutations and resamples."""


class LearnedFirst(Section):
    """Which class is learned first, and does that go with how distinctive its spectrum is? (METHODS 5)

    Not for regrouped tiers, whose groups of classes have no spectrum of their own in the data.
    """

    step: Count
    """Optimiser step at which classes are compared, early in training; one of `checkpoints.early` of every recipe."""


class Separated(Section):
    """The interval of `lower` lies below that of `higher` and does not overlap it.

    Intervals are t intervals over draws (over seeds where there is one draw), with the spread pooled over both groups.
    """

    kind: Literal["separated"]
    text: str
    """The claim as a sentence."""
    lower: Name
    """Tier, or the start of the names of several (`labels-shape`)."""
    higher: Name
    """Tier, or the start of the names of several; may be the same where recipes or instances differ."""
    scalar: Name = "centroid"
    """Scalar compared: one of the instance's measure (of a profile, for `gradient`), or of learning
    (`validation_accuracy`, `fixed_train_accuracy`, `gap`)."""
    instance: Name = "gradient"
    """Instance of a measure; scalars of learning have none."""
    lower_instance: Name | None = None
    """Instance of `lower`; null: `instance`."""
    higher_instance: Name | None = None
    """Instance of `higher`; null: `instance`."""
    recipe: Name | None = None
    """Recipe; null: the study's first."""
    lower_recipe: Name | None = None
    """Recipe of `lower`; null: `recipe`."""
    higher_recipe: Name | None = None
    """Recipe of `higher`; null: `recipe`."""
    reading: Reading = "last"
    """Reading over training."""
    margin: Real = 0.0
    """Smallest distance between the two intervals, in the scalar's unit."""

    @model_validator(mode="after")
    def _learning_is_read_at_the_end(self):
        if self.scalar in LEARNING and self.reading != "last":
            raise ValueError(f"reading: found {self.reading!r}, but {self.scalar} has only the reading last")
        return self


class Increasing(Section):
    """The scalar rises along a list of tiers."""

    kind: Literal["increasing"]
    text: str
    """The claim as a sentence."""
    tiers: Annotated[tuple[Name, ...], Field(min_length=2)]
    """Tiers, lowest first."""
    scalar: Name = "centroid"
    """Scalar compared, one of the instance's measure."""
    instance: Name = "gradient"
    """Instance of a measure."""
    recipe: Name | None = None
    """Recipe; null: the study's first."""
    reading: Reading = "last"
    """Reading over training."""
    margin: Real = 0.0
    """Smallest rise from each tier to the next, in the scalar's unit."""


class First(Section):
    """One class is learned first: at the step of `learned_first`, its F1 is above that of every other class.

    What must exceed the margin is the lower end of the interval of (its F1 − the largest F1 of the others): a t
    interval over draws, or over seeds where there is one draw.
    """

    kind: Literal["learned-first"]
    text: str
    """The claim as a sentence."""
    tier: Name
    """Tier, or the start of the names of several."""
    class_name: str | None = None
    """Which class; null: the one whose spectrum is the most distinctive of its tier."""
    by: Distinctive = "distinctiveness"
    """What the most distinctive class is known by, where `class_name` is null."""
    recipe: Name | None = None
    """Recipe; null: the study's first."""
    margin: Real = 0.0
    """Smallest lead in F1."""


Claim = Annotated[Separated | Increasing | First, Field(discriminator="kind")]
