"""From the name of a torchvision set to the source of its images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...config.datasets import Dataset
from ...config.image_sources import ImageFolder, TorchvisionSet
from ...errors import InputError
from ..batches import Placement, Source
from ..image_arrays import Block, ImageArrays
from ..image_files import ImageFiles
from ..image_folder import ImageFolderLayout
from ..resampling import Resampling
from .cifar import read_cifar
from .find import Found, find
from .idx import read_idx
from .labelled import LabelledImages, read_classes
from .stl10 import read_stl10
from .svhn import read_svhn


def open_torchvision(options: Dataset, data_root: Path, threads: int) -> Source:
    """Return the source of a set's images; its files are downloaded where they are missing, and compared.

    Parameters
    ----------
    options : Dataset
        With a `TorchvisionSet` as source.
    data_root : path
    threads : int
        Threads that decode or fit images.

    Raises
    ------
    InputError
        For files that are missing, can't be had or have other content than the published ones.
    """
    wanted = options.source
    assert isinstance(wanted, TorchvisionSet)
    found = find(wanted.name, data_root, wanted.download, wanted.verify, wanted.extra)
    resampling = Resampling.of(options.model_dump())
    if found.format != "eurosat":
        reader = _Reader(wanted.name, found)
        return ImageArrays(reader, options.size, options.channels, options.max_pixels, threads, resampling)
    layout = EuroSatLayout(data_root, found.warnings)
    kept = options.pack == "encoded"
    return ImageFiles(
        found.paths, layout, options.size, options.channels, options.max_pixels, threads, kept, resampling
    )


class _Reader:
    """Reader of a set that lies in files of many images."""

    def __init__(self, name: str, found: Found):
        self.name, self.found = name, found
        self.total: int | None = None
        self.images = LabelledImages(name, found.warnings)

    def blocks(self) -> Iterator[Block]:
        """Go through all images once."""
        format, paths = self.found.format, self.found.paths
        match format:
            case "python" | "binary":
                return read_cifar(self.name, format, paths[0], self.images)
            case "idx":
                return read_idx(paths, self.images)
            case "stl10":
                return read_stl10(paths[0], self.images)
        return read_svhn(paths, self.images)

    def place(self, keys: list[str]) -> Placement:
        """Tell where images belong."""
        return self.images.place(keys)


class EuroSatLayout(ImageFolderLayout):
    """EuroSAT (Helber et al. 2019): JPEG files in a folder per class, without a split.

    Parameters
    ----------
    data_root : path
    warnings : list of str
        What the pack report is to say.

    Examples
    --------
    >>> EuroSatLayout(Path("data"), []).key(Path("EuroSAT.zip"), "2750/River/River_7.jpg")
    'train/River/River_7.jpg'
    """

    def __init__(self, data_root: Path, warnings: list[str]):
        folder = ImageFolder(kind="image-folder", paths=("eurosat",), held_out_split=None)
        super().__init__(folder, data_root)
        self.titles = {row["class"]: row["title"] for row in read_classes("eurosat")}
        self.warnings = warnings

    def place(self, keys: list[str]) -> Placement:
        """Tell the class by the keys."""
        placement = super().place(keys)
        strange = [name for name in placement.classes["class"] if name not in self.titles]
        if strange:
            raise InputError(
                "eurosat",
                f"found a folder called {strange[0]}",
                f"the classes {', '.join(self.titles)}",
                "use kind: image-folder for other images",
            )
        placement.titles = {name: self.titles[name] for name in placement.classes["class"]}
        placement.warnings = list(self.warnings)
        return placement
