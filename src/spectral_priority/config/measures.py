"""Options of the measures, one class each; a study lists instances of them under names of its choice."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from .base import Count, Fraction, Name, Positive, Real, Section, Seed, Whole


class OtherImages(Section):
    """Images of a data set of the study to measure on, in place of the tier's own held-out ones."""

    dataset: Name
    """Name of the data set; its held-out images are taken. Size and colour are those of the tier's images."""
    labels: Literal["own", "predicted"] = "own"
    """`own`: images of the tier's classes, which are found by their names in the tier's label column, whose every class
    must be there; `predicted`: the same images for every tier, labelled by the class that the model predicts."""
    images: Count | None = None
    """Most images to take, drawn by (`seed`, image); null: all."""
    seed: Seed = 0
    """Of that draw."""


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
    probe: OtherImages | None = None
    """In a study, other images to measure on; null: the tier's held-out ones."""

    @model_validator(mode="after")
    def _predicted_classes_are_for_spectra_of_gradients(self):
        if self.probe and self.probe.labels == "predicted":
            if not isinstance(self, Gradient):
                raise ValueError("probe.labels: predicted classes are a label for gradient only; choose own")
            if self.per_class:
                raise ValueError(
                    "probe.labels: predicted classes change during training, so there is no profile per class; "
                    "set per_class: false"
                )
        return self


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
    """Reproduce a released program, quirks included, beside the measure proper; both take the gradient of the loss."""
    per_class: bool = True
    """Store a profile per class."""

    @model_validator(mode="after")
    def _released_programs_take_the_gradient_of_the_loss(self):
        if self.legacy and self.objective == "margin":
            raise ValueError(
                f"legacy: the {self.legacy} program takes the gradient of the loss, whose direction is another than "
                "that of objective: margin; choose objective: loss"
            )
        return self


class BandAccuracy(Measured):
    """Accuracy and loss on low-pass, high-pass and band-stop images (METHODS 4)."""

    measure: Literal["band-accuracy"] = "band-accuracy"
    cutoffs: tuple[Count, ...] | None = None
    """Last ring that a low-pass keeps and a high-pass removes, in cycles/image; by default N/16, N/8, N/4 and 3N/8."""
    energy_rings: Annotated[Whole, Field(ge=0)] = 4
    """Band-stops of so many rings of equal image energy; 0: none."""
    keep_dc: bool = True
    """A high-pass keeps the mean of each channel."""


class CriticalBand(Measured):
    """Critical-band masking: accuracy under octave-wide noise, and the channel that follows from it (METHODS 4)."""

    measure: Literal["critical-band"] = "critical-band"
    strengths: Annotated[tuple[Positive, ...], Field(min_length=1)] = (0.02, 0.04, 0.08, 0.16)
    """Standard deviations of the noise, in pixel values, ascending; images without noise come first by themselves."""
    seed: Seed = 0
    """Of the noise."""
    legacy: Literal["critical-band-masking"] | None = None
    """Also count thresholds and fit the channel as the released program does."""

    @field_validator("strengths")
    @classmethod
    def _ascend(cls, strengths):
        if list(strengths) != sorted(set(strengths)):
            raise ValueError(f"found {list(strengths)}, but strengths ascend")
        return strengths


class FourierHeatmap(Measured):
    """Fourier heat map: error under noise at one frequency after another (METHODS 4)."""

    measure: Literal["fourier-heatmap"] = "fourier-heatmap"
    norm: Positive | None = None
    """L2 norm of the noise in each channel, in pixel values; by default N/8, which is 4 at 32 pixels."""
    largest: Count | None = None
    """Only frequencies with |u| and |v| up to this, in cycles/image; by default all."""
    most_images: Count = 256
    """Images to take at most; which ones follows from the seed and their ids."""
    seed: Seed = 0
    """Of the noise's signs."""


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
    masks: Name | None = None
    """In a study, another instance of shortcuts whose frequencies are tried, checkpoint by checkpoint, instead of
    looking for some: on other images (`probe`) it tells whether shortcuts transfer."""


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


MeasureOptions = Annotated[
    Gradient
    | BandAccuracy
    | CriticalBand
    | FourierHeatmap
    | Paths
    | FPrinciple
    | DominantFrequencyMap
    | Shortcuts
    | WeightSvd
    | GradientSvd,
    Field(discriminator="measure"),
]
"""One of the measures above, told apart by `measure`."""

MEASURES: dict[str, type[Section]] = {
    options.model_fields["measure"].default: options for options in get_args(get_args(MeasureOptions)[0])
}
"""Name → options."""
