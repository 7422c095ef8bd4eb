"""Where images come from, and at which size they are packed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .artefacts import PlantedArtefact
from .base import Count, Fraction, Section
from .generators import BandBiased, ShapesTextures
from .image_sources import CsvManifest, ImageFolder, ImageNet, RadImageNet, TinyImageNet

GENERATORS = ("shapes-textures", "band-biased")
"""Sources that make their images, and so have no files."""

Source = Annotated[
    ShapesTextures | BandBiased | ImageFolder | CsvManifest | TinyImageNet | ImageNet | RadImageNet,
    Field(discriminator="kind"),
]


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
