"""Where images come from, and at which size they are packed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .artefacts import PlantedArtefact
from .base import Count, Fraction, Positive, Section
from .generators import BandBiased, ShapesTextures
from .image_sources import (
    CsvManifest,
    ImageFolder,
    ImageNet,
    MedMNIST,
    RadImageNet,
    TinyImageNet,
    TorchvisionSet,
)

GENERATORS = ("shapes-textures", "band-biased")
"""Sources that make their images, and so have no files."""

Source = Annotated[
    ShapesTextures
    | BandBiased
    | ImageFolder
    | CsvManifest
    | TinyImageNet
    | ImageNet
    | RadImageNet
    | TorchvisionSet
    | MedMNIST,
    Field(discriminator="kind"),
]


class Dataset(Section):
    """A data set, packed once per name and size into results/data/<name>-<size>px/images.h5."""

    source: Source
    """Where the images come from."""
    size: Annotated[Count, Field(ge=8, le=1024)] = 32
    """Side of the square images in pixels; other sizes are resampled, anti-aliased, all classes alike."""
    crop: Literal["centre", "stretch", "pad"] = "centre"
    """How an image becomes a square: `centre` takes its middle; `stretch` all of it, each side scaled by itself (then
    frequencies across and down differ in scale); `pad` all of it, with margins of its mean colour, which keeps its
    DC (margins have a spectrum too, and tell the shape of the original)."""
    crop_share: Annotated[Positive, Field(le=1)] = 1.0
    """Share of the shorter side that `centre` takes. ImageNet's usual 0.875 resizes the shorter side to size/0.875 and
    takes the centre; here both are one step. Below 1 images of the right size are resampled too."""
    filter: Literal["lanczos", "bicubic", "bilinear", "hamming", "box"] = "lanczos"
    """Filter of Pillow, all anti-aliased. Reduced to a quarter, a grating of 1.5 times the new Nyquist
    frequency keeps 0.1 % of its power with lanczos (folded down), 0.5 % with bicubic, 0.8 % with bilinear, 8 % with
    hamming and 10 % with box; one of half that frequency keeps 101, 87, 64, 78 and 82 %."""
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
    def _only_a_centre_has_a_share(self):
        if self.crop != "centre" and self.crop_share != 1:
            raise ValueError(f"crop_share: crop is {self.crop}, which takes the whole image; leave it out")
        return self

    @model_validator(mode="after")
    def _encoded_files_stay_as_they_are(self):
        if self.pack == "encoded" and self.source.kind in GENERATORS:
            raise ValueError("pack: the images of a generator have no files; choose pixels")
        called = getattr(self.source, "name", self.source.kind)
        arrays = self.source.kind in ("torchvision", "medmnist") and called != "eurosat"
        if self.pack == "encoded" and arrays:
            raise ValueError(f"pack: the images of {called} have no files of their own; choose pixels")
        if self.pack == "encoded" and self.artefact:
            raise ValueError(
                "pack: an artefact changes pixels, and encoded files stay as they are; choose pixels"
            )
        return self
