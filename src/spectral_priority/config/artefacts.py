"""Artefacts: traces planted in some images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Fraction, Name, Positive, Section, Seed


class Prevalence(Section):
    """Shares of a class's images that get an artefact."""

    train: Fraction = 0.0
    """Share of its training images."""
    held_out: Fraction = 0.0
    """Share of its held-out images."""


class Artefact(Section):
    """A trace planted in some images, by which a class can be told without looking at the object (METHODS 10).

    Which images: those of one class, `of_class`, in training, and of the others at test; or, by `prevalence`, of any
    class a share of its own in either split.
    """

    label: Name = "class"
    """Label column of the class."""
    of_class: str | None = None
    """Class that the trace gives away; null: see `prevalence`."""
    train: Fraction = 1.0
    """Share of this class's training images that get it; no other training image does."""
    held_out: Fraction = 0.0
    """Share of this class's held-out images that get it."""
    elsewhere: Fraction = 1.0
    """Share of the other classes' held-out images that get it: by default the trace is reversed at test."""
    prevalence: dict[str, Prevalence] = {}
    """In the place of `of_class`, `train`, `held_out` and `elsewhere`: shares by class, `{bee: {train: 0.3}}`. A class
    that is not named gets none."""
    seed: Seed = 0
    """Seed of the choice of images and of noise. Images of a smaller share are among those of a larger one."""

    @property
    def in_training(self) -> bool:
        """Whether training images get it."""
        if self.prevalence:
            return any(share.train > 0 for share in self.prevalence.values())
        return self.train > 0

    @model_validator(mode="after")
    def _one_way_to_say_which_images(self):
        if not self.prevalence and self.of_class is None:
            raise ValueError("of_class: is missing; name a class there, or shares by class in prevalence")
        # Values, not what was written: a study that was written out with its defaults names every field.
        fields = ("of_class", "train", "held_out", "elsewhere")
        given = [name for name in fields if getattr(self, name) != type(self).model_fields[name].default]
        if self.prevalence and given:
            raise ValueError(
                f"prevalence: says which images get it, and so does {given[0]}; give one of the two"
            )
        return self


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
