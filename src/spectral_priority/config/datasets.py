"""Where images come from, and at which size they are packed."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Count, Fraction, Name, Positive, Real, Section, Seed


class ShapesTextures(Section):
    """Built-in images: a random shape (low frequencies) filled with a grating of a chosen ring (METHODS 11)."""

    kind: Literal["shapes-textures"]
    train: Count = 6000
    """Training images."""
    held_out: Count = 2000
    """Images of the held-out split."""
    shapes: Annotated[tuple[Literal["disc", "square", "triangle", "cross"], ...], Field(min_length=2)] = (
        "disc",
        "square",
        "triangle",
        "cross",
    )
    """Shapes, the classes of the label `shape`."""
    rings: Annotated[tuple[Positive, ...], Field(min_length=1)] = (4, 8, 12)
    """Frequencies of the gratings in cycles/image, the classes of the label `ring`."""
    orientations: Count = 4
    """Directions of each grating, the classes of the label `orientation`; 1 makes the direction a nuisance."""
    radius: tuple[Positive, Positive] = (0.25, 0.4)
    """Smallest and largest radius of a shape, in image sides."""
    step: tuple[Fraction, Fraction] = (0.1, 0.2)
    """Smallest and largest difference in brightness between a shape and the background."""
    contrast: tuple[Fraction, Fraction] = (0.5, 1.0)
    """Smallest and largest contrast of the grating inside the shape."""
    noise: Annotated[Real, Field(ge=0, le=1)] = 0.05
    """Standard deviation of white pixel noise."""
    seed: Seed = 0
    """Seed of every draw of the generator."""

    @model_validator(mode="after")
    def _ranges_are_ordered(self):
        for name in ("radius", "step", "contrast"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: the first number ({low}) is larger than the second ({high})")
        return self


class BandBiased(Section):
    """Built-in images: noise of random phases; each class stands out in a radial band of its own (METHODS 11)."""

    kind: Literal["band-biased"]
    train: Count = 6000
    """Training images."""
    held_out: Count = 2000
    """Images of the held-out split."""
    bands: Annotated[tuple[tuple[Count, Count], ...], Field(min_length=2)] | None = None
    """First and last ring of each class's band in cycles/image, the classes of the label `band`; null: four equal
    bands of the rings 1 … N/2."""
    gain: Annotated[tuple[Positive, ...], Field(min_length=1)] = (2.0,)
    """A class's mean amplitude in its band ÷ that of the other classes: one number, or one per class; below 1 it is
    energy that is missing, and 1 tells nothing."""
    share: Annotated[tuple[Fraction, ...], Field(min_length=1)] = (1.0,)
    """Share of its band's frequencies at which a class stands out, the same in every ring up to whole pairs of
    frequencies: one number, or one per class. Which they are is drawn with the seed."""
    slope: Real = 1.0
    """Amplitudes of the background, which all classes share, fall with radius^slope."""
    contrast: tuple[Fraction, Fraction] = (0.08, 0.12)
    """Smallest and largest standard deviation of the background in pixel values, drawn for each image."""
    noise: Annotated[Real, Field(ge=0, le=1)] = 0.02
    """Standard deviation of white pixel noise."""
    seed: Seed = 0
    """Seed of every draw of the generator."""

    @model_validator(mode="after")
    def _classes_have_bands_of_their_own(self):
        if self.contrast[0] > self.contrast[1]:
            low, high = self.contrast
            raise ValueError(f"contrast: the first number ({low}) is larger than the second ({high})")
        for first, last in self.bands or ():
            if first > last:
                raise ValueError(f"bands: the first ring ({first}) is larger than the last ({last})")
        ordered = sorted(self.bands or ())
        for (first, last), (other, end) in pairwise(ordered):
            if other <= last:
                raise ValueError(f"bands: {first}–{last} and {other}–{end} share rings, and classes must not")
        return self


class ImageFolder(Section):
    """Image files laid out as <split>/<class>/…/<file>, in folders or archives (zip, tar, tar.gz, tar.xz)."""

    kind: Literal["image-folder"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders or archives, below data_root; the splits may be spread over them."""
    train_split: str = "train"
    """Name of the folder of training images."""
    held_out_split: str | None = "val"
    """Name of the folder of held-out images; null: held-out images come from the training split."""
    hierarchy: str | None = None
    """CSV below data_root with the is-a edges of the classes: columns parent, child."""


class TinyImageNet(Section):
    """Tiny-ImageNet-200: its archives or unpacked folders, or the official zip; WordNet hierarchy built in."""

    kind: Literal["tiny-imagenet"]
    paths: tuple[str, ...] = ()
    """Folders or archives below data_root; empty: the usual names are looked for there."""


GENERATORS = ("shapes-textures", "band-biased")
"""Sources that make their images, and so have no files."""

Source = Annotated[ShapesTextures | BandBiased | ImageFolder | TinyImageNet, Field(discriminator="kind")]


class Artefact(Section):
    """A trace planted in some images, by which a class can be told without looking at the object (METHODS 10)."""

    label: Name = "class"
    """Label column of the class."""
    of_class: str
    """Class that the trace gives away."""
    train: Fraction = 1.0
    """Share of this class's training images that get it; no other training image does."""
    held_out: Fraction = 0.0
    """Share of this class's held-out images that get it."""
    elsewhere: Fraction = 1.0
    """Share of the other classes' held-out images that get it: by default the trace is reversed at test."""
    seed: Seed = 0
    """Seed of the choice of images and of noise."""


class LowPass(Artefact):
    """Blur: what lies above a frequency is gone."""

    kind: Literal["low-pass"]
    cutoff: Positive = 6.0
    """Frequency in cycles/image at which a Gaussian filter halves the amplitude."""


class PhotonNoise(Artefact):
    """Shot noise of few photons."""

    kind: Literal["photon-noise"]
    photons: Positive = 50.0
    """Mean number of photons of a white pixel."""


class NonLocalMeans(Artefact):
    """Denoising by non-local means (Buades et al. 2005): flat areas lose their texture."""

    kind: Literal["non-local-means"]
    strength: Positive = 0.1
    """Filter strength h, in units of the pixel range."""


class Tag(Artefact):
    """A small bright square in a corner, as of a label burnt into the image."""

    kind: Literal["tag"]
    side: Fraction = 0.12
    """Side of the square, in image sides."""


PlantedArtefact = Annotated[LowPass | PhotonNoise | NonLocalMeans | Tag, Field(discriminator="kind")]


class Dataset(Section):
    """A data set, packed once per name and size into results/data/<name>-<size>px/images.h5."""

    source: Source
    """Where the images come from."""
    size: Annotated[Count, Field(ge=8, le=1024)] = 32
    """Side of the square images in pixels; other sizes are resampled (centre crop, anti-aliased)."""
    color: Literal["rgb", "grey"] = "rgb"
    """Channels kept: rgb = 3, grey = 1."""
    pack: Literal["pixels", "encoded"] = "pixels"
    """`encoded` keeps the files' own bytes and decodes them when they are read, to the very same pixels: for sets whose
    pixels would not fit on the disk. Not on a GPU, whose decoders give other pixels."""
    artefact: PlantedArtefact | None = None
    """A trace planted in some images; null: none."""
    max_pixels: Count = 50_000_000
    """Larger image files are refused (image bombs)."""
    max_unreadable: Fraction = 0.0
    """Share of unreadable files above which packing stops; they are listed in the pack report anyway."""

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 3 if self.color == "rgb" else 1

    @model_validator(mode="after")
    def _encoded_files_stay_as_they_are(self):
        if self.pack == "encoded" and self.source.kind in GENERATORS:
            raise ValueError("pack: the images of a generator have no files; choose pixels")
        if self.pack == "encoded" and self.artefact:
            raise ValueError(
                "pack: an artefact changes pixels, and encoded files stay as they are; choose pixels"
            )
        return self
