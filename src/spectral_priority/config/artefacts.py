"""Artefacts: traces planted in some images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Fraction, Name, Positive, Section, Seed


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
