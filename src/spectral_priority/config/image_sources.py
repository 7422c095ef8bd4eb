"""Images in files: which layouts are known, and where they lie."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Name, Section
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


class ImageNet(Section):
    """ILSVRC-2012, whole or some of its classes: folders, or the official archives as they are; WordNet built in."""

    kind: Literal["imagenet"]
    paths: tuple[str, ...] = ()
    """Folders or archives below data_root; empty: the usual names are looked for there."""
    ground_truth: str | None = None
    """File below data_root with the classes of validation images that lie in no class folder; null: a file of a usual
    name, in `paths` or in data_root itself."""
    classes: str | None = None
    """File below data_root with the WordNet ids of the classes to keep, one in each line (ImageNet-100 is published
    so); null: all classes that have images."""


class CsvManifest(MedicalFiles):
    """Image files that a CSV table lists, with any number of labels; in folders or archives."""

    kind: Literal["csv-manifest"]
    table: str
    """The table, below data_root; its first line names the columns."""
    separator: Literal[",", ";", "tab"] = ","
    """What separates its columns."""
    images: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders or archives with the files, below data_root. A file is known by the end of its path, so leading folders
    may be missing in the table."""
    path: str = "path"
    """Column of the files' paths."""
    suffix: str = ""
    """What the files' names end in, where the table leaves it out (`.jpg`)."""
    labels: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Columns of labels; each becomes a label of the data set under its own name."""
    split: str | None = None
    """Column of the split; null: all images are training images."""
    train_values: Annotated[tuple[str, ...], Field(min_length=1)] = ("train",)
    """What the split's column says of training images."""
    held_out_values: Annotated[tuple[str, ...], Field(min_length=1)] = ("val",)
    """What it says of held-out images."""
    left_out_values: tuple[str, ...] = ()
    """What it says of images that are not used."""
    group: str | None = None
    """Column of what images belong to besides their class, such as a patient; an empty cell: unknown."""
    nested: bool = False
    """The label columns go from coarse to fine, and each class lies in one class of the column before: that is the
    hierarchy of every label but the first."""
    hierarchy: str | None = None
    """CSV below data_root with the is-a edges of the last label's classes: columns parent, child."""

    @model_validator(mode="after")
    def _parts_fit_together(self):
        if self.nested and self.hierarchy:
            raise ValueError("hierarchy: nested labels are a hierarchy already; leave out one of the two")
        if self.nested and len(self.labels) < 2:
            raise ValueError("nested: found one column of labels; list the coarser ones before it")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels: found one twice in {', '.join(self.labels)}")
        values = (*self.train_values, *self.held_out_values, *self.left_out_values)
        if len(set(values)) < len(values):
            raise ValueError(
                f"train_values, held_out_values, left_out_values: one is there twice in {', '.join(values)}"
            )
        return self


class RadImageNet(Section):
    """RadImageNet: its images, in folders or archives, and its three tables of file names and labels."""

    kind: Literal["radimagenet"]
    paths: tuple[str, ...] = ()
    """Folders or archives with the images, below data_root; empty: the usual names are looked for there."""
    tables: str = "."
    """Folder of RadiologyAI_train.csv, RadiologyAI_val.csv and RadiologyAI_test.csv, below data_root."""
    held_out: Annotated[tuple[Literal["val", "test"], ...], Field(min_length=1)] = ("val",)
    """Tables of the held-out images; the images of the other one are left out."""
    patient: str | None = None
    """Regular expression whose first group is the patient, searched for in the files' paths. The published names tell
    no patient (numbers run through a class), so there is no default."""

    @model_validator(mode="after")
    def _patient_has_a_group(self):
        if self.patient is not None:
            try:
                groups = re.compile(self.patient).groups
            except re.error as error:
                raise ValueError(f"patient: {self.patient!r} is no regular expression ({error})") from None
            if groups != 1:
                raise ValueError(
                    f"patient: {self.patient!r} has {groups} groups; one, in brackets, is the patient"
                )
        return self
