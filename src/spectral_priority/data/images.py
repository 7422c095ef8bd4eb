"""Packed images: one HDF5 file per data set and size, mapped into memory and shared by all processes.

It holds pixels, or the image files as they are (`pack: encoded`): what reads it sees the same pixels either way.
"""

from __future__ import annotations

import json
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import InputError
from ..store.atomic import explained
from .encoded import EncodedImages

SCHEMA, KIND = "spectral-priority/1", "images"
TRAIN, HELD_OUT = 0, 1
"""Values of `split`."""
BLOCK_BYTES = 4 << 20
"""Pixels read at a time where all are gone through."""


def index_crc32(split: np.ndarray, labels: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> int:
    """Return the checksum of what says which image is what: splits, labels, and the file's attributes.

    Parameters
    ----------
    split, labels : ndarray (sample,), mapping of ndarray (sample,)
    attributes : mapping
        Texts; those of the libraries, whose names begin with `_`, and other values are left out.
    """
    texts = {
        name: text for name, text in attributes.items() if isinstance(text, str) and not name.startswith("_")
    }
    crc = zlib.crc32(json.dumps(texts, sort_keys=True).encode())
    for values in (split, *(labels[column] for column in sorted(labels))):
        crc = zlib.crc32(np.ascontiguousarray(values), crc)
    return crc


class MappedPixels:
    """Pixels in images.h5, mapped.

    Parameters
    ----------
    file : h5py.File
        The open images.h5; its path is kept, not itself.
    threads : int
        Without effect: nothing is decoded.
    """

    def __init__(self, file: h5py.File, threads: int):
        stored = file["images"]
        self.shape, offset, path = stored.shape, stored.id.get_offset(), Path(file.filename)
        if offset is None or path.stat().st_size < offset + int(np.prod(self.shape)):
            raise InputError(path, "is cut short", todo="delete it and pack again")
        self.pixels = np.memmap(path, dtype=np.uint8, mode="r", offset=offset, shape=self.shape)
        self._path, self._crc32 = path, file["pixels_crc32"][:]
        self._unchecked = np.ones(len(self.pixels), dtype=bool)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Return the images at an index, copied."""
        self.check(index)
        return self.pixels[index]

    def check(self, index: np.ndarray) -> None:
        """Compare images at an index with their checksums, each once in the life of this object."""
        index = np.asarray(index)
        for number in index[self._unchecked[index]].ravel().tolist():
            if zlib.crc32(self.pixels[number]) != self._crc32[number]:
                raise InputError(
                    self._path,
                    f"is damaged (the checksum of image {number} is wrong)",
                    todo="delete it; the same command packs it again",
                )
        self._unchecked[index] = False


class PackedImages:
    """The images of one data set at one size.

    Parameters
    ----------
    path : path
        images.h5 (docs/architecture.md tells its layout).
    threads : int
        Threads that decode, where the images are encoded.

    Attributes
    ----------
    shape : (sample, y, x, channel)
        Of all images as pixels.
    split : ndarray (sample,) uint8
        0 = train, 1 = held out.

    Raises
    ------
    InputError
        For a missing, damaged or foreign file, by name.
    """

    def __init__(self, path: str | Path, threads: int = 1):
        self.path = Path(path)
        if not self.path.exists():
            raise InputError(self.path, "there is no such file", todo="make it with the pack rule")
        try:
            with h5py.File(self.path, "r") as file:
                self.attributes: dict[str, Any] = dict(file.attrs)
                if self.attributes.get("schema") != SCHEMA or self.attributes.get("kind") != KIND:
                    raise InputError(
                        self.path,
                        f"holds {self.attributes.get('kind')!r}, schema {self.attributes.get('schema')!r}",
                        f"{KIND!r}, schema {SCHEMA!r}",
                    )
                form = EncodedImages if "encoded" in file else MappedPixels
                self._stored = form(file, threads)
                self.split = file["split"][:]
                self._labels = {
                    name.removeprefix("label_"): file[name][:] for name in file if name.startswith("label_")
                }
                if self.attributes.pop("crc32", None) != index_crc32(
                    self.split, self._labels, self.attributes
                ):
                    raise ValueError("the checksum of its labels and attributes is missing or wrong")
        except InputError:
            raise
        except Exception as error:  # h5py raises many kinds for a damaged file
            raise InputError(
                self.path, f"is damaged or no packed data set ({error})", todo="delete it and pack again"
            ) from error
        self.shape = self._stored.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: np.ndarray) -> np.ndarray:
        """Do as `read`, so that a function may take packed images or an array of pixels."""
        return self.read(index)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Return the images at an index (n,), in its order, as pixels (n, y, x, channel) uint8."""
        return self._stored.read(index)

    @property
    def is_encoded(self) -> bool:
        """Tell whether images are decoded when they are read."""
        return isinstance(self._stored, EncodedImages)

    def checked_pixels(self, index: np.ndarray) -> np.ndarray:
        """Return `pixels`, after those at an index were compared with their checksums."""
        pixels = self.pixels
        self._stored.check(index)
        return pixels

    @property
    def pixels(self) -> np.ndarray:
        """All images as one read-only array, mapped: only what is touched is read, and processes share it.

        Only where the file holds pixels: `read` is there for both forms. Nothing is compared with its checksum.
        """
        if isinstance(self._stored, EncodedImages):
            raise AttributeError(
                f"{self.path} holds encoded images, which can't be mapped as pixels: read them"
            )
        return self._stored.pixels

    @contextmanager
    def at_hand(self, index: np.ndarray, folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give images for several passes: an array of pixels, and the places of those at an index in it.

        Pixels are the mapped ones; encoded images are decoded once, into a nameless file in a folder.
        """
        if not self.is_encoded:
            yield self.checked_pixels(index), index
            return
        folder.mkdir(parents=True, exist_ok=True)
        step = max(1, BLOCK_BYTES // int(np.prod(self.shape[1:])))
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                for start in range(0, len(index), step):
                    file.write(self.read(index[start : start + step]))
                file.flush()
            except OSError as error:
                raise explained(error, folder) from error
            shape = (len(index), *self.shape[1:])
            yield np.memmap(file, dtype=np.uint8, mode="r", shape=shape), np.arange(len(index))

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.shape[1])

    @property
    def channels(self) -> int:
        """Number of channels: 1 or 3."""
        return int(self.shape[3])

    @property
    def name(self) -> str:
        """Name of the data set."""
        return str(self.attributes["dataset"])

    @property
    def content_sha256(self) -> str:
        """Fingerprint of pixels, labels, splits and names."""
        return str(self.attributes["content_sha256"])

    @property
    def label_columns(self) -> list[str]:
        """Names of the label columns."""
        return list(self._labels)

    @cached_property
    def classes(self) -> dict[str, list[str]]:
        """Class names of every label column, in the order of their numbers."""
        return json.loads(self.attributes["classes"])

    @cached_property
    def titles(self) -> dict[str, str]:
        """What people call a class or superclass, by its name; those without a title are left out."""
        return json.loads(self.attributes.get("titles", "{}"))

    def labels(self, column: str) -> np.ndarray:
        """Return the class number of every image under a label column, (sample,) int32."""
        self.check_column(column)
        return self._labels[column]

    def hierarchy(self, column: str) -> list[tuple[str, str]]:
        """Return the is-a edges (parent, child) of a column's classes; empty where there are none."""
        self.check_column(column)
        edges = json.loads(self.attributes.get("hierarchy", "{}")).get(column, [])
        return [(parent, child) for parent, child in edges]

    @property
    def planted(self) -> list[str]:
        """Label columns whose classes differ in frequency by construction."""
        return json.loads(self.attributes.get("planted", "[]"))

    @cached_property
    def source(self) -> list[str]:
        """Name of every image in the data set, (sample,)."""
        return self.fact("source").tolist()

    @cached_property
    def group(self) -> np.ndarray:
        """What every image belongs to besides its class, such as a patient: a number, −1 unknown. (sample,) int64."""
        with h5py.File(self.path, "r") as file:
            if "group" not in file:
                return np.full(len(self), -1, dtype=np.int64)
        names, number = np.unique(self.fact("group"), return_inverse=True)
        return number.astype(np.int64) - int(names[0] == "")

    def fact(self, name: str) -> np.ndarray:
        """Return what was noted of every image's file when it was packed, (sample,): text or numbers.

        `source`, `mode`, `format`, `chroma`, `encoder_quality`, `original_height`, … (docs/architecture.md).

        Raises
        ------
        InputError
            Where the file holds no such fact.
        """
        with h5py.File(self.path, "r") as file:
            if name not in file or file[name].shape != (len(self),):
                raise InputError(self.path, f"holds no fact {name!r} of its images", todo="pack it again")
            stored = file[name]
            return stored.asstr()[:].astype(str) if h5py.check_string_dtype(stored.dtype) else stored[:]

    def check_column(self, column: str) -> None:
        """Refuse a label column that the data set doesn't have."""
        if column not in self._labels:
            raise InputError(
                f"{self.path}: label {column!r}", "is not a label of this data set", ", ".join(self._labels)
            )
