"""MNIST and Fashion-MNIST: images and labels in IDX files (a header, then bytes), gzipped or not.

The header: two zero bytes, type (8 = byte), number of dimensions, and each dimension as a 4-byte number, highest byte
first (yann.lecun.com/exdb/mnist).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...errors import InputError
from ..image_arrays import Block
from ..records import numbered, records
from .labelled import LabelledImages

SPLITS = {"train": "train", "t10k": "test"}


def read_idx(paths: list[Path], images: LabelledImages) -> Iterator[Block]:
    """Read the four files of a set.

    Parameters
    ----------
    paths : list of path
        `<train or t10k>-<images-idx3 or labels-idx1>-ubyte`, with or without `.gz`.
    images : LabelledImages
        Gets the labels.

    Raises
    ------
    InputError
        For a file that is damaged, cut short or something else.
    """
    for path in paths:
        part = SPLITS[path.name.partition("-")[0]]
        with _opened(path) as stream:
            count, *shape = _header(stream, 3 if "images" in path.name else 1, path)
            start, found = 0, []
            for block in records(stream, int(np.prod(shape)), path):
                if shape:
                    yield numbered(part, start, len(block)), block.reshape(-1, *shape, 1)
                else:
                    found.append(block[:, 0])
                start += len(block)
                if start > count:
                    break
            if start != count:
                raise InputError(path, f"holds {start:,} of {count:,} records", todo="get it again")
            if not shape:
                images.note(part, "class", np.concatenate(found) if found else np.zeros(0), path)


def _header(stream: BinaryIO, dimensions: int, path: Path) -> list[int]:
    head = stream.read(4 + 4 * dimensions)
    lengths = np.frombuffer(head[4:], dtype=">u4") if len(head) == 4 + 4 * dimensions else []
    # A side of 4,096 is far beyond both sets: a larger one is damage, and memory.
    if head[:4] != bytes([0, 0, 8, dimensions]) or any(not 0 < side <= 4096 for side in lengths[1:]):
        raise InputError(
            path,
            "is no such IDX file",
            f"bytes in {dimensions} dimension{'s' * (dimensions > 1)}",
            "get it again",
        )
    return [int(length) for length in lengths]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path, f"is damaged or cut short ({error})", todo="get it again") from None
    except OSError as error:
        raise InputError(path, f"can't be read ({error.strerror})") from None
