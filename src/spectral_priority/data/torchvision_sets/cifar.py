"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): batches of 32 × 32 RGB images, pickled or binary.

A record is red, green and blue plane, each row by row. In the binary form its label stands before it, of CIFAR-100 the
superclass's number and then the class's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import InputError
from ..files import MAX_BYTES, open_files
from ..image_arrays import Block
from ..records import numbered, records
from .labelled import LabelledImages
from .plain_pickle import read_plain

SIDE = 32
PIXELS = 3 * SIDE**2
LABELS = {
    "cifar10": {b"labels": "class"},
    "cifar100": {b"coarse_labels": "superclass", b"fine_labels": "class"},
}
"""Keys of a pickled batch, and the label columns that they are; in the order of the binary form."""


def read_cifar(name: str, form: str, path: Path, images: LabelledImages) -> Iterator[Block]:
    """Read the batches of an archive or a folder.

    Parameters
    ----------
    name : {"cifar10", "cifar100"}
    form : {"python", "binary"}
    path : path
    images : LabelledImages
        Gets the labels.

    Raises
    ------
    InputError
        For a batch that is missing or damaged, or holds anything else.
    """
    suffix = ".bin" if form == "binary" else ""
    parts = {f"test_batch{suffix}": "test"} if name == "cifar10" else {f"test{suffix}": "test"}
    if name == "cifar10":
        parts |= {f"data_batch_{i}{suffix}": f"train/data_batch_{i}" for i in range(1, 6)}
    else:
        parts[f"train{suffix}"] = "train"
    seen = set()
    for member, file in open_files(path, lambda member: PurePosixPath(member).name in parts):
        batch, where = PurePosixPath(member).name, f"{path}: {member}"
        if batch in seen:
            raise InputError(where, "is there twice", "every batch once")
        seen.add(batch)
        part, columns = parts[batch], LABELS[name]
        if form == "python":
            if file.size > MAX_BYTES:
                raise InputError(where, f"has {file.size:,} bytes", f"at most {MAX_BYTES:,}")
            yield from _pickled(file.read(), part, columns, images, where)
        else:
            start, found = 0, []
            for block in records(file, len(columns) + PIXELS, where):
                yield numbered(part, start, len(block)), _upright(block[:, len(columns) :])
                found.append(block[:, : len(columns)].copy())
                start += len(block)
            labels = np.concatenate(found) if found else np.zeros((0, len(columns)))
            for place, column in enumerate(columns.values()):
                images.note(part, column, labels[:, place], where)
    missing = sorted(parts.keys() - seen)
    if missing:
        raise InputError(path, f"has no {', '.join(missing)}", ", ".join(sorted(parts)), "get it again")


def _pickled(
    content: bytes, part: str, columns: dict[bytes, str], images: LabelledImages, where: str
) -> Iterator[Block]:
    batch = read_plain(content, where)
    pixels = batch.get(b"data")
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise InputError(where, "has no images", f"data: images × {PIXELS} bytes", "get it again")
    for key, column in columns.items():
        labels = batch.get(key)
        if not isinstance(labels, list) or not all(type(label) is int for label in labels):
            raise InputError(where, f"has no {key.decode()}", "a list of whole numbers", "get it again")
        images.note(part, column, np.array(labels, dtype=np.int64), where)
    yield numbered(part, 0, len(pixels)), _upright(pixels)


def _upright(planes: np.ndarray) -> np.ndarray:
    """Turn records into images (n, y, x, channel)."""
    return planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
