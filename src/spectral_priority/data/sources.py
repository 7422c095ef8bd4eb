"""From the options of a data set to the source of its images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..config.datasets import Dataset
from ..config.generators import BandBiased, ShapesTextures
from ..config.image_sources import (
    CsvManifest,
    ImageNet,
    MedMNIST,
    RadImageNet,
    TinyImageNet,
    TorchvisionSet,
)
from ..config.medical import MedicalFiles
from ..errors import InputError
from .band_biased import BandBiasedSource
from .batches import Source
from .csv_manifest import CsvManifestLayout
from .image_arrays import ImageArrays
from .image_files import ImageFiles
from .image_folder import ImageFolderLayout
from .imagenet import ImageNetLayout, find_imagenet, is_class_archive
from .listed_images import ListedImages
from .medmnist import MedMNISTReader
from .radimagenet import RadImageNetLayout, find_radimagenet
from .resampling import Resampling
from .shapes_textures import ShapesTexturesSource
from .tiny_imagenet import TinyImageNetLayout, find_tiny_imagenet
from .torchvision_sets.source import open_torchvision


def open_source(options: Dataset, data_root: Path, threads: int) -> Source:
    """Return the source of a data set's images; no image is read yet, tables that list them are.

    Parameters
    ----------
    options : Dataset
    data_root : path
        Folder that the paths of data sets start from.
    threads : int
        Threads that decode.

    Raises
    ------
    InputError
        Where a folder, an archive or a table is missing, or is not what it should be.
    """
    source = options.source
    if isinstance(source, ShapesTextures):
        return ShapesTexturesSource(source, options.size, options.channels)
    if isinstance(source, BandBiased):
        return BandBiasedSource(source, options.size, options.channels)
    if isinstance(source, TorchvisionSet):
        return open_torchvision(options, data_root, threads)
    fitting = {
        "size": options.size,
        "channels": options.channels,
        "max_pixels": options.max_pixels,
        "threads": threads,
        "resampling": Resampling.of(options.model_dump()),
    }
    medical = source if isinstance(source, MedicalFiles) else None
    decoding = {**fitting, "kept": options.pack == "encoded", "medical": medical}
    if isinstance(source, CsvManifest):
        paths = _existing("images", source.images, data_root)
        manifest = CsvManifestLayout(source, data_root)
        return ListedImages(manifest.table, paths=paths, layout=manifest, **decoding)
    paths = _existing("paths", source.paths, data_root)
    if isinstance(source, MedMNIST):
        return ImageArrays(MedMNISTReader(source, data_root, options.max_pixels), **fitting)
    if isinstance(source, TinyImageNet):
        return ImageFiles(paths or find_tiny_imagenet(data_root), TinyImageNetLayout(), **decoding)
    if isinstance(source, ImageNet):
        paths, imagenet = paths or find_imagenet(data_root), ImageNetLayout(source, data_root)
        return ImageFiles(paths, imagenet, **decoding, enters=is_class_archive)
    if isinstance(source, RadImageNet):
        paths, radimagenet = paths or find_radimagenet(data_root), RadImageNetLayout(source, data_root)
        return ListedImages(radimagenet.table, paths=paths, layout=radimagenet, **decoding)
    return ImageFiles(paths, ImageFolderLayout(source, data_root), **decoding)


def _existing(field: str, names: Sequence[str], data_root: Path) -> list[Path]:
    paths = [data_root / name for name in names]
    for name, path in zip(names, paths, strict=True):
        if not path.exists():
            raise InputError(
                f"source.{field}: {name}",
                f"there is no {path.absolute()}",
                f"a folder or an archive below data_root, which is {data_root.absolute()}",
                "put it there, or say where it is with --config data_root=<folder>",
            )
    return paths
