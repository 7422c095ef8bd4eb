"""Built-in images with a known answer, and all their knobs."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Count, Fraction, Positive, Real, Section, Seed

Degrees = Annotated[Real, Field(ge=0, le=360)]


class ShapesTextures(Section):
    """Built-in images: a random shape (low frequencies) filled with a texture of a chosen ring (METHODS 11).

    What is no label is a nuisance, drawn for every image: each has a range, or can be switched off, which leaves all
    others as they were. A task is harder with more rings or directions, or with rings closer to each other, and with
    wider nuisances.
    """

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
    texture: Literal["grating", "noise"] = "grating"
    """What fills a shape: one wave; or noise, all frequencies of the ring with one amplitude and random phases, which
    have as much energy as the wave. Its peaks are higher: at a contrast near 1 some are cut off at black and white."""
    rings: Annotated[tuple[Positive, ...], Field(min_length=1)] = (4, 8, 12)
    """Frequencies of the textures in cycles/image, the classes of the label `ring`. Difficulty: how many there are, and
    their spacing."""
    bandwidth: Positive = 1.0
    """Width of a ring of noise in cycles/image; rings closer than that share frequencies."""
    orientations: Count = 4
    """Directions of each texture, the classes of the label `orientation`; noise has the part of its ring within a
    quarter of the directions' spacing. 1: a grating's direction is a nuisance, noise has the whole ring."""
    direction: Annotated[Real, Field(ge=0, le=180)] = 180.0
    """With one orientation, a grating's direction is between 0 and so many degrees; 0: always the same."""
    jitter: Annotated[Real, Field(ge=0, le=45)] = 8.0
    """Largest deviation of a grating from its direction in degrees, cut at a quarter of their spacing; 0: none."""
    phase: Degrees = 360.0
    """A grating's phase in the image's corner is between 0 and so many degrees; 0: always the same."""
    position: Literal["random", "centre"] = "random"
    """Where a shape lies: anywhere as long as it is whole, or in the middle."""
    rotation: Degrees = 360.0
    """A shape is turned by up to so many degrees; 0: all are upright."""
    radius: tuple[Positive, Positive] = (0.25, 0.4)
    """Smallest and largest radius of a shape, in image sides; twice the same: one size."""
    polarity: Literal["both", "bright", "dark"] = "both"
    """Whether shapes are brighter or darker than the background."""
    background: tuple[Fraction, Fraction] = (0.4, 0.6)
    """Smallest and largest brightness of the background."""
    step: tuple[Fraction, Fraction] = (0.1, 0.2)
    """Smallest and largest difference in brightness between a shape and the background."""
    contrast: tuple[Fraction, Fraction] = (0.5, 1.0)
    """Smallest and largest contrast of the texture inside the shape."""
    tint: Fraction = 0.1
    """Colour channels are darkened by up to this share each; 0: all images are grey. Of no effect with color: grey."""
    noise: Annotated[Real, Field(ge=0, le=1)] = 0.05
    """Standard deviation of white pixel noise; 0: none."""
    seed: Seed = 0
    """Seed of every draw of the generator."""

    @model_validator(mode="after")
    def _ranges_are_ordered(self):
        for name in ("radius", "background", "step", "contrast"):
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
