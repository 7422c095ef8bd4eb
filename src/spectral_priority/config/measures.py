"""Options of the measures, one class each; a study lists instances of them under names of its choice."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Fraction, Real, Section, Seed, Whole


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


Percent = Annotated[Real, Field(gt=0, le=100)]


class Ranked(Measured):
    """What measures that rank single frequencies can be told."""

    top: Annotated[tuple[Percent, ...], Field(min_length=1)] = (1.0, 5.0, 10.0, 20.0)
    """Per cent of the frequencies but DC that are kept as dominant; (u, v) and (−u, −v) are one."""
    images_per_class: Annotated[Whole, Field(ge=0)] = 0
    """Most images of a class on which its frequencies are ranked, drawn by (`seed`, image); 0: all."""
    seed: Seed = 0
    """Of that draw."""


class DominantFrequencyMap(Ranked):
    """Dominant-frequency map: single frequencies ranked by the loss when they are removed (METHODS 5)."""

    measure: Literal["dfm"] = "dfm"


class Shortcuts(Ranked):
    """Frequency shortcuts: is a class still recognised by its few dominant frequencies alone? (METHODS 5)"""

    measure: Literal["shortcuts"] = "shortcuts"
    search: Literal["ranking", "patches"] = "ranking"
    """How a class's frequencies are found: ranked by exact removal, or by hierarchical search over patches (HFSS)."""
    threshold: Fraction = 0.5
    """A class whose true-positive rate lies above it has a shortcut."""
    evaluate: Literal["all", "others"] = "all"
    """Images to classify: all, or only those that no frequency was chosen by (needs `images_per_class`)."""
    patch_sizes: tuple[Count, ...] | None = None
    """Search over patches: side of a patch at each stage; by default N/4 and its halves, down to 1."""
    patch_share: Annotated[Fraction, Field(gt=0)] = 0.8
    """Share of patches that a candidate keeps at each stage."""
    candidates: Count = 500
    """Candidates at each stage."""
    survivors: Count = 10
    """Best candidates of each class that the next stage draws from."""


MeasureOptions = Annotated[Gradient | DominantFrequencyMap | Shortcuts, Field(discriminator="measure")]
"""One of the measures above, told apart by `measure`."""

MEASURES: dict[str, type[Section]] = {
    "gradient": Gradient,
    "dfm": DominantFrequencyMap,
    "shortcuts": Shortcuts,
}
