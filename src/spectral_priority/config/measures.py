"""Options of the measures, one class each; a study lists instances of them under names of its choice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Section, Seed, Whole


class OfWeights(Section):
    """What every measure of a model can be told; one of its weights alone, nothing else."""

    threads: Count = 1
    """CPU threads."""


class Measured(OfWeights):
    """What a measure of a model's responses to images can be told as well."""

    batch_size: Count = 256
    """Images per pass through the model; no result depends on it."""
    batch_norm_images: Annotated[Whole, Field(ge=0)] = 1024
    """Training images from which batch-norm statistics are recomputed; 0: off."""


class Gradient(Measured):
    """Gradient spectrum: which spatial frequencies the decision responds to (METHODS 3)."""

    measure: Literal["gradient"] = "gradient"
    objective: Literal["loss", "margin", "probability"] = "loss"
    """Scalar whose input gradient is taken: cross-entropy, z_y − max z_j, or the probability of y."""
    channels: Literal["keep", "sum", "mean"] = "keep"
    """`keep`: power is summed over channels; `sum`/`mean`: gradients are combined before the transform."""
    of: Literal["spectra", "mean-gradient"] = "spectra"
    """Mean of the images' spectra, or spectrum of the mean gradient."""
    corners: bool = False
    """Keep the rings beyond N/2, which are anisotropic."""
    legacy: Literal["freqbias", "fourier-sensitivity"] | None = None
    """Reproduce a released program, quirks included, beside the measure proper."""
    per_class: bool = True
    """Store a profile per class."""


class WeightSvd(OfWeights):
    """Singular values of the weights: how many directions each layer uses (METHODS 6)."""

    measure: Literal["weight-svd"] = "weight-svd"
    directions: Count = 10
    """Leading singular vectors that are compared between consecutive layers and over training."""


class GradientSvd(Measured):
    """Singular values of the weight gradients of groups of images (METHODS 6)."""

    measure: Literal["gradient-svd"] = "gradient-svd"
    label: str | None = None
    """Label column of the data set whose classes are the groups; by default the classes of the tier."""
    singular_values: Count = 32
    """Most singular values that are stored per layer and group; ranks follow from all of them."""
    statistics: Literal["running", "batch"] = "running"
    """Batch normalisation by its running statistics, or by those of one batch of `together` images, as in training."""
    together: Annotated[Whole, Field(ge=2)] = 512
    """Most images in that one batch, drawn by (`seed`, image); their activations must fit into memory."""
    permutations: Annotated[Whole, Field(ge=0)] = 999
    """Permutations of the test of a difference between groups; 0: no test."""
    test_images: Count = 1024
    """Most images that the test takes, drawn by (`seed`, image)."""
    sketch: Annotated[Whole, Field(ge=2)] = 16
    """Side of the matrices that the test keeps of each image and layer: projections on two fixed random bases."""
    seed: Seed = 0
    """Of the draws of images, the bases and the permutations."""


MeasureOptions = Annotated[Gradient | WeightSvd | GradientSvd, Field(discriminator="measure")]
"""One of the measures above, told apart by `measure`."""

MEASURES: dict[str, type[Section]] = {
    "gradient": Gradient,
    "weight-svd": WeightSvd,
    "gradient-svd": GradientSvd,
}
