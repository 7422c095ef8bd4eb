"""Options of the measures, one class each; a study lists instances of them under names of its choice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Fraction, Positive, Section, Seed, Whole


class Measured(Section):
    """What every measure of a model can be told."""

    batch_size: Count = 256
    """Images per pass through the model; no result depends on it."""
    batch_norm_images: Annotated[Whole, Field(ge=0)] = 1024
    """Training images from which batch-norm statistics are recomputed; 0: off."""
    threads: Count = 1
    """CPU threads."""


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


class Paths(Measured):
    """Response frequency along straight lines between images, within and between classes (METHODS 4)."""

    measure: Literal["paths"] = "paths"
    pairs: Count = 200
    """Paths within classes, and as many between classes; fewer where there are fewer pairs of images."""
    samples: Annotated[Whole, Field(ge=8)] = 64
    """Samples of each path; the cost is 2 · pairs · samples images per checkpoint."""
    high: Fraction = 0.1
    """Part of the frequency axis, from 0 to Nyquist, above which power is high."""
    seed: Seed = 0
    """Of the choice of pairs."""
    per_class: bool = True
    """Store numbers per class."""
    legacy: Literal["spectral-bias"] | None = None
    """Reproduce a released program, quirks included, beside the measure proper."""


class FPrinciple(Measured):
    """Frequency principle: errors in the low and the high part of the labels as a function of images (METHODS 4)."""

    measure: Literal["fprinciple"] = "fprinciple"
    quantiles: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (0.001, 0.01, 0.05, 0.25)
    """Quantiles of squared distances between images that are the filters' variances."""
    scale: Positive = 1.0
    """Variances are the quantiles times this; below 1 filters are narrower, and average fewer images."""
    most_images: Annotated[Whole, Field(ge=2, le=10_000)] = 2000
    """Most images of the probe that are used; memory grows with their square (160 MB for 2,000 and four filters)."""
    seed: Seed = 0
    """Of the choice of images."""
    frequencies: Count = 20
    """Highest frequency along the first principal component, in cycles over its range."""
    legacy: Literal["uncentred"] | None = None
    """Reproduce the released program beside the measure proper."""


MeasureOptions = Annotated[Gradient | Paths | FPrinciple, Field(discriminator="measure")]
"""One of the measures above, told apart by `measure`."""

MEASURES: dict[str, type[Section]] = {"gradient": Gradient, "paths": Paths, "fprinciple": FPrinciple}
