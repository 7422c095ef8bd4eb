"""Images in files: which layouts are known, and where they lie."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

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


class TorchvisionSet(Section):
    """A published set that torchvision knows, read from its files as they are published or unpacked (METHODS 12).

    They are looked for in data_root/<name>/ and in data_root. Label columns: `class`, for CIFAR-100 `superclass` too.
    """

    kind: Literal["torchvision"]
    name: Literal["cifar10", "cifar100", "mnist", "fashion-mnist", "stl10", "svhn", "eurosat"]
    """Which one. STL-10: its labelled images; SVHN: the cropped digits; EuroSAT: the RGB images, which have no held-out
    split: held-out images come from training."""
    download: bool = True
    """Whether to download files that are missing, into data_root/<name>/."""
    verify: bool = True
    """Whether files with other content than the published one are refused; false: they are taken, with a warning in
    pack.json."""
    extra: bool = False
    """SVHN: whether its 531,131 extra images are training images too."""

    @model_validator(mode="after")
    def _only_svhn_has_extra_images(self):
        if self.extra and self.name != "svhn":
            raise ValueError(f"extra: {self.name} has no extra images; only svhn has")
        return self


class MedMNIST(Section):
    """MedMNIST's two-dimensional sets (.npz files), at any of their sizes.

    Label columns: of one file `class`, or a 0/1 label per finding (ChestMNIST); of several files `class` and `dataset`.
    """

    kind: Literal["medmnist"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Files, or folders of files, below data_root."""
    held_out: tuple[Literal["val", "test"], ...] = ("val", "test")
    """Splits that are held out; the others are for training. None: held-out images come from training."""
