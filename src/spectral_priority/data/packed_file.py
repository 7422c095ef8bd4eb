"""Writing images.h5: netCDF-4 layout, images contiguous so that every process maps the same pages."""

from __future__ import annotations

import hashlib
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5netcdf
import h5py
import numpy as np

from ..config.loading import canonical
from ..store.atomic import atomic
from .images import BLOCK_BYTES, KIND, SCHEMA, index_crc32

Record = TypeVar("Record", np.ndarray, bytes)
BLOCK_RECORDS = 4096
"""Images written at a time, at most: each has a Python object until then."""


@dataclass(frozen=True)
class Pixels:
    """Images as pixels, in the order of the file.

    Attributes
    ----------
    shape : (sample, y, x, channel)
    images : iterable of ndarray (y, x, channel) uint8
        Gone through once.
    planted : ndarray of int64, optional
        Where images with an artefact are that are kept as they were before, too.
    before : iterable of ndarray (y, x, channel) uint8
        These images, gone through once, after all others.
    """

    shape: tuple[int, ...]
    images: Iterable[np.ndarray]
    planted: np.ndarray | None = None
    before: Iterable[np.ndarray] = ()


@dataclass(frozen=True)
class Encoded:
    """Images as the bytes of their files, in the order of the file.

    Attributes
    ----------
    length : ndarray (sample,) int64
        Bytes of each file.
    files : iterable of bytes
        Gone through once.
    pixels_crc32 : ndarray (sample,) uint32
        Of the pixels that each decodes to.
    """

    length: np.ndarray
    files: Iterable[bytes]
    pixels_crc32: np.ndarray


@dataclass(frozen=True)
class Samples:
    """What is known of the images, in the order of the file.

    Attributes
    ----------
    split : ndarray (sample,)
    labels : mapping of ndarray (sample,)
        By label column.
    source : list of str
    facts : mapping
        Name → (one value per image, what it is): further variables.
    """

    split: np.ndarray
    labels: Mapping[str, np.ndarray]
    source: list[str]
    facts: Mapping[str, tuple[Any, str]]


def write_packed(
    target: Path,
    content: Pixels | Encoded,
    pixels_sha256: np.ndarray,
    samples: Samples,
    attributes: Mapping[str, Any],
) -> str:
    """Write images.h5 atomically and read it back before it gets its name. The same content gives the same bytes.

    Parameters
    ----------
    target : path
    content : Pixels or Encoded
    pixels_sha256 : ndarray (sample, 32) uint8
        Of each image's pixels; looked at when the last image was taken.
    samples : Samples
    attributes : mapping
        Attributes of the file; `classes` is needed, values that are no text are stored as JSON.

    Returns
    -------
    str
        `content_sha256` of the file.

    Raises
    ------
    InputError
        Where the disk is full or the folder can't be written.
    """
    with atomic(target) as path:
        with h5netcdf.File(path, "w") as file:
            file.dimensions["sample"] = len(samples.split)
            crc32 = (
                _write_pixels(file, content) if isinstance(content, Pixels) else _write_encoded(file, content)
            )
            _add(file, "split", samples.split.astype(np.uint8), "0 = train, 1 = held out")
            for column, values in samples.labels.items():
                _add(file, f"label_{column}", values.astype(np.int32), f"class number, label {column}")
            _add(file, "source", samples.source, "name of the image in the data set")
            for name, (values, meaning) in samples.facts.items():
                _add(file, name, values, meaning)
            group = samples.facts.get("group", ((), ""))[0]
            digest = content_sha256(
                pixels_sha256, samples.split, samples.labels, samples.source, attributes["classes"], group
            )
            texts = {k: v if isinstance(v, str) else canonical(v) for k, v in attributes.items()}
            texts |= {"schema": SCHEMA, "kind": KIND, "content_sha256": digest}
            labels = {column: values.astype(np.int32) for column, values in samples.labels.items()}
            checksum = index_crc32(samples.split.astype(np.uint8), labels, texts)
            file.attrs.update({**texts, "crc32": checksum})
        if not _reads_back(path, crc32, samples):
            raise OSError(f"{target} reads back different from what was written")
    return digest


def content_sha256(
    pixels_sha256: np.ndarray,
    split: np.ndarray,
    labels: Mapping[str, np.ndarray],
    source: Sequence[str],
    classes: Mapping[str, Sequence[str]],
    group: Sequence[str] = (),
) -> str:
    """Fingerprint what a data set consists of: pixels, splits, labels, sources, class names and groups.

    Parameters
    ----------
    pixels_sha256 : ndarray (sample, 32) uint8
        Of each image's pixels (`sha256_of`), so that it doesn't matter in which form a file holds them.
    split, labels, source
        Of each image.
    classes : mapping
        Class names by label column.
    group : sequence of str
        Of each image, where there are groups.
    """
    digest = hashlib.sha256(np.ascontiguousarray(pixels_sha256))
    digest.update(np.ascontiguousarray(split, dtype=np.uint8))
    for column in sorted(labels):
        digest.update(canonical([column, classes[column]]).encode())
        digest.update(np.ascontiguousarray(labels[column], dtype="<i4"))
    for names in (source, group):
        for name in names:
            digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def sha256_of(pixels: np.ndarray) -> bytes:
    """Fingerprint one image (y, x, channel) uint8, its shape included."""
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels))
    return digest.digest()


def _write_pixels(file: h5netcdf.File, content: Pixels) -> np.ndarray:
    dimensions = ("sample", "y", "x", "channel")
    file.dimensions.update(zip(dimensions[1:], content.shape[1:], strict=True))
    stored = file.create_variable("images", dimensions, dtype="u1")
    stored.attrs.update({"units": "1", "long_name": "pixels, 0 … 255"})
    crc32 = array("I")
    for images in _blocks(content.images):
        stored[len(crc32) : len(crc32) + len(images)] = np.stack(images)
        crc32.extend(zlib.crc32(image) for image in images)
    if content.planted is not None:
        _write_before(file, content)
    checks = np.array(crc32, dtype=np.uint32)
    _add(file, "pixels_crc32", checks, "checksum of the pixels")
    return checks


def _write_before(file: h5netcdf.File, content: Pixels) -> None:
    file.dimensions["planted"] = len(content.planted)
    place = file.create_variable(
        "before_artefact_index", ("planted",), dtype="i8", data=content.planted.astype(np.int64)
    )
    place.attrs.update({"units": "1", "long_name": "place of an image with an artefact among all images"})
    stored = file.create_variable("before_artefact", ("planted", "y", "x", "channel"), dtype="u1")
    stored.attrs.update({"units": "1", "long_name": "pixels of that image before the artefact, 0 … 255"})
    done = 0
    for images in _blocks(content.before):
        stored[done : done + len(images)] = np.stack(images)
        done += len(images)


def _write_encoded(file: h5netcdf.File, content: Encoded) -> np.ndarray:
    start = np.concatenate([[0], np.cumsum(content.length, dtype=np.int64)])
    file.dimensions.update({"byte": int(start[-1]), "boundary": len(start)})
    stored = file.create_variable("encoded", ("byte",), dtype="u1")
    stored.attrs.update({"units": "1", "long_name": "image files, one behind the other"})
    crc32 = array("I")
    for files in _blocks(content.files):
        first, last = start[len(crc32)], start[len(crc32) + len(files)]
        stored[first:last] = np.frombuffer(b"".join(files), dtype=np.uint8)
        crc32.extend(map(zlib.crc32, files))
    place = file.create_variable("encoded_offset", ("boundary",), dtype="i8", data=start)
    place.attrs.update(
        {"units": "byte", "long_name": "where each image file begins; at last, where they end"}
    )
    checks = np.array(crc32, dtype=np.uint32)
    _add(file, "encoded_crc32", checks, "checksum of the image file")
    _add(file, "pixels_crc32", content.pixels_crc32, "checksum of the pixels that it decodes to")
    return checks


def _reads_back(path: Path, crc32: np.ndarray, samples: Samples) -> bool:
    """Tell whether a file holds what was written. It is read, not mapped: memory stays as it is."""
    with h5py.File(path) as file:
        return (
            all(zlib.crc32(record) == crc for record, crc in zip(_records(file), crc32, strict=True))
            and np.array_equal(file["split"][:], samples.split)
            and all(
                np.array_equal(file[f"label_{name}"][:], values) for name, values in samples.labels.items()
            )
            and all(
                file["source"].asstr()[first : first + BLOCK_RECORDS].tolist()
                == samples.source[first : first + BLOCK_RECORDS]
                for first in range(0, len(samples.source), BLOCK_RECORDS)
            )
        )


def _records(file: h5py.File) -> Iterator[np.ndarray]:
    """Go through the images of a file as they are stored."""
    if "images" in file:
        stored = file["images"]
        step = max(1, BLOCK_BYTES // int(np.prod(stored.shape[1:])))
        for first in range(0, len(stored), step):
            yield from stored[first : first + step]
        return
    stored, start = file["encoded"], file["encoded_offset"][:]
    first = 0
    while first < len(start) - 1:
        last = max(first + 1, int(np.searchsorted(start, start[first] + BLOCK_BYTES, side="right")) - 1)
        block = stored[start[first] : start[last]]
        yield from np.split(block, start[first + 1 : last] - start[first])
        first = last


def _blocks(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Gather records to about as many bytes as are written at a time."""
    gathered: list[Record] = []
    held = 0
    for record in records:
        gathered.append(record)
        held += memoryview(record).nbytes
        if held >= BLOCK_BYTES or len(gathered) == BLOCK_RECORDS:
            yield gathered
            gathered, held = [], 0
    if gathered:
        yield gathered


def _add(file: h5netcdf.File, name: str, values: np.ndarray | Sequence[str], meaning: str) -> None:
    text = not isinstance(values, np.ndarray)
    data = np.array(values, dtype=object) if text else values
    dtype = h5py.string_dtype() if text else values.dtype
    variable = file.create_variable(name, ("sample",), dtype=dtype, data=data)
    variable.attrs.update({"units": "1", "long_name": meaning})
