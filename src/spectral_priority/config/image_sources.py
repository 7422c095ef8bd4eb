"""Images in files: which layouts are known, and where they lie."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Section
from .medical import MedicalFiles


class ImageFolder(MedicalFiles):
    """Image files laid out as <split>/<class>/…/<file>, in folders or archives (zip, tar, tar.gz, tar.xz)."""

    kind: Literal["image-folder"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders or archives, below data_root; the splits may be spread over them."""
    train_split: str = "train"
    """Name of the folder of training images."""
    held_out_split: str | None = "val"
    """Name of the folder of held-out images; null: held-out images come from the training split."""
    hierarchy: str | dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] | None = None
    """Is-a edges of the classes: a CSV below data_root with the columns parent, child; or written out, each parent with
    its children. A class may have several parents, such as a modality and an anatomy."""


class TinyImageNet(Section):
    """Tiny-ImageNet-200: its archives or unpacked folders, or the official zip; WordNet hierarchy built in."""

    kind: Literal["tiny-imagenet"]
    paths: tuple[str, ...] = ()
    """Folders or archives below data_root; empty: the usual names are looked for there."""
