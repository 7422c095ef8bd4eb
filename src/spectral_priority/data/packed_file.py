"""Writing images.h5: netCDF-4 layout, pixels contiguous so that every process maps the same pages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5netcdf
import h5py
import numpy as np

from ..config.loading import canonical
from ..store.atomic import atomic
from .images import KIND, SCHEMA, PackedImages

BLOCK_BYTES = 16 << 20
"""Pixels copied at a time."""


def write_packed(
    target: Path,
    pixels: np.ndarray,
    split: np.ndarray,
    labels: Mapping[str, np.ndarray],
    source: Sequence[str],
    facts: Mapping[str, tuple[Any, str]],
    attributes: Mapping[str, Any],
    progress: Callable[[int], object] = lambda images: None,
    order: np.ndarray | None = None,
) -> str:
    """Write images.h5 atomically and read it back before it gets its name. The same content gives the same bytes.

    Parameters
    ----------
    target : path
    pixels : ndarray (sample, y, x, channel) uint8
    split, labels, source
        Of every sample; `labels` by column.
    facts : mapping
        Name → (one value per sample, what it is): further variables.
    attributes : mapping
        Attributes of the file; `classes` is needed, values that are no text are stored as JSON.
    progress : callable
        Told how many images were just written.
    order : ndarray, optional
        Samples in the order in which they are stored; all arguments but this one are in another order.

    Returns
    -------
    str
        `content_sha256` of the file.

    Raises
    ------
    InputError
        Where the disk is full or the folder can't be written.
    """
    order = np.arange(len(pixels)) if order is None else order
    split, source = split[order], [source[i] for i in order]
    labels = {column: values[order] for column, values in labels.items()}
    with atomic(target) as path:
        with h5netcdf.File(path, "w") as file:
            file.dimensions = dict(zip(("sample", "y", "x", "channel"), pixels.shape, strict=True))
            stored = file.create_variable("images", ("sample", "y", "x", "channel"), dtype="u1")
            stored.attrs.update({"units": "1", "long_name": "pixels, 0 … 255"})
            digest = content_sha256(
                _copied(pixels, order, stored, progress), split, labels, source, attributes["classes"]
            )
            _add(file, "split", split.astype(np.uint8), "0 = train, 1 = held out")
            for column, values in labels.items():
                _add(file, f"label_{column}", values.astype(np.int32), f"class number, label {column}")
            _add(file, "source", source, "name of the image in the data set")
            for name, (values, meaning) in facts.items():
                chosen = values[order] if isinstance(values, np.ndarray) else [values[i] for i in order]
                _add(file, name, chosen, meaning)
            file.attrs.update(
                {
                    name: value if isinstance(value, str) else canonical(value)
                    for name, value in attributes.items()
                }
            )
            file.attrs.update({"schema": SCHEMA, "kind": KIND, "content_sha256": digest})
        if read_content_sha256(path) != digest:
            raise OSError(f"{target} reads back different from what was written")
    return digest


def content_sha256(
    blocks: Iterable[np.ndarray],
    split: np.ndarray,
    labels: Mapping[str, np.ndarray],
    source: Sequence[str],
    classes: Mapping[str, Sequence[str]],
) -> str:
    """Fingerprint what a data set consists of: pixels, splits, labels, sources and class names."""
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(str(block.shape[1:]).encode())
        digest.update(np.ascontiguousarray(block))
    digest.update(np.ascontiguousarray(split, dtype=np.uint8))
    for column in sorted(labels):
        digest.update(canonical([column, classes[column]]).encode())
        digest.update(np.ascontiguousarray(labels[column], dtype="<i4"))
    digest.update("\n".join(source).encode())
    return digest.hexdigest()


def read_content_sha256(path: Path) -> str:
    """Compute the content's fingerprint from a file, whatever its attribute says."""
    packed = PackedImages(path)
    with h5py.File(path) as file:
        source = file["source"].asstr()[:].tolist()
    labels = {column: packed.labels(column) for column in packed.label_columns}
    blocks = (packed.pixels[part] for part in _blocks(packed.pixels))
    return content_sha256(blocks, packed.split, labels, source, packed.classes)


def _copied(
    pixels: np.ndarray, order: np.ndarray, stored: h5netcdf.Variable, progress: Callable[[int], object]
) -> Iterator[np.ndarray]:
    for part in _blocks(pixels):
        block = pixels[order[part]]
        stored[part] = block
        progress(len(block))
        yield block


def _blocks(pixels: np.ndarray) -> Iterator[slice]:
    step = max(1, BLOCK_BYTES // int(np.prod(pixels.shape[1:])))
    return (slice(start, min(start + step, len(pixels))) for start in range(0, len(pixels), step))


def _add(file: h5netcdf.File, name: str, values: np.ndarray | Sequence[str], meaning: str) -> None:
    text = not isinstance(values, np.ndarray)
    data = np.array(values, dtype=object) if text else values
    dtype = h5py.string_dtype() if text else values.dtype
    variable = file.create_variable(name, ("sample",), dtype=dtype, data=data)
    variable.attrs.update({"units": "1", "long_name": meaning})
