"""From the options of a data set to the source of its images."""

from __future__ import annotations

from pathlib import Path

from ..config.datasets import Dataset
from ..config.generators import BandBiased, ShapesTextures
from ..config.image_sources import MedMNIST, TinyImageNet, TorchvisionSet
from ..config.medical import MedicalFiles
from ..errors import InputError
from .band_biased import BandBiasedSource
from .batches import Source
from .image_arrays import ImageArrays
from .image_files import ImageFiles
from .image_folder import ImageFolderLayout
from .medmnist import MedMNISTReader
from .resampling import Resampling
from .shapes_textures import ShapesTexturesSource
from .tiny_imagenet import TinyImageNetLayout, find_tiny_imagenet
from .torchvision_sets.source import open_torchvision


def open_source(options: Dataset, data_root: Path, threads: int) -> Source:
    """Return the source of a data set's images; no image is read yet.

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
        Where a folder or archive is missing, or is not what it should be.
    """
    source = options.source
    if isinstance(source, ShapesTextures):
        return ShapesTexturesSource(source, options.size, options.channels)
    if isinstance(source, BandBiased):
        return BandBiasedSource(source, options.size, options.channels)
    if isinstance(source, TorchvisionSet):
        return open_torchvision(options, data_root, threads)
    paths = [data_root / path for path in source.paths]
    for given, path in zip(source.paths, paths, strict=True):
        if not path.exists():
            raise InputError(
                f"source.paths: {given}",
                f"there is no {path.absolute()}",
                f"a folder or an archive below data_root, which is {data_root.absolute()}",
                "put it there, or say where it is with --config data_root=<folder>",
            )
    resampling = Resampling.of(options.model_dump())
    if isinstance(source, MedMNIST):
        reader = MedMNISTReader(source, data_root, options.max_pixels)
        return ImageArrays(reader, options.size, options.channels, options.max_pixels, threads, resampling)
    if isinstance(source, TinyImageNet):
        paths, layout = paths or find_tiny_imagenet(data_root), TinyImageNetLayout()
    else:
        layout = ImageFolderLayout(source, data_root)
    kept = options.pack == "encoded"
    medical = source if isinstance(source, MedicalFiles) else None
    return ImageFiles(
        paths, layout, options.size, options.channels, options.max_pixels, threads, kept, resampling, medical
    )
