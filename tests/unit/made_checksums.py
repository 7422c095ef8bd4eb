"""Checksums for an images.h5 that a test wrote by itself."""

import zlib

import h5py
import numpy as np

from spectral_priority.data.images import index_crc32


def add_checksums(file: h5py.File) -> None:
    """Give an open images.h5 of pixels the checksums of what it holds."""
    if "pixels_crc32" in file:
        del file["pixels_crc32"]
    file["pixels_crc32"] = np.array([zlib.crc32(image) for image in file["images"][:]], dtype=np.uint32)
    labels = {name.removeprefix("label_"): file[name][:] for name in file if name.startswith("label_")}
    texts = {name: text for name, text in file.attrs.items() if name != "crc32"}
    file.attrs["crc32"] = index_crc32(file["split"][:], labels, texts)
