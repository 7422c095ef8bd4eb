"""Options of the measures, one class each; a study lists instances of them under names of its choice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Section, Whole


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


MeasureOptions = Annotated[Gradient | WeightSvd, Field(discriminator="measure")]
"""One of the measures above, told apart by `measure`."""

MEASURES: dict[str, type[Section]] = {"gradient": Gradient, "weight-svd": WeightSvd}
