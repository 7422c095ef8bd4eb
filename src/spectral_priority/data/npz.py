"""Arrays of .npz files, read a few rows at a time; an array of objects would be a pickle, and is refused unread."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError
from .files import DAMAGES
from .records import records

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of the header by the format's version; version 3 is for names of fields beyond Latin."""


@dataclass(frozen=True)
class Header:
    """What an array is, by its header.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    """

    shape: tuple[int, ...]
    dtype: np.dtype


def read_headers(path: Path) -> dict[str, Header]:
    """Return what arrays an .npz file holds; none of them is read.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict of Header
        By the arrays' names.

    Raises
    ------
    InputError
        For a file that is no .npz file, is damaged, or holds objects or columns before rows.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npz")
    >>> np.savez(path, x=np.zeros((4, 2), dtype=np.uint8))
    >>> read_headers(path)
    {'x': Header(shape=(4, 2), dtype=dtype('uint8'))}
    """
    headers = {}
    with _opened(path) as archive:
        for member in archive.namelist():
            if not member.endswith(".npy"):
                raise InputError(path, f"holds {member!r}", "arrays only (.npy)", "use the file as published")
            with archive.open(member) as stream:
                headers[member.removesuffix(".npy")] = _header(stream, f"{path}: {member}")
    return headers


def read_rows(path: Path, name: str) -> Iterator[np.ndarray]:
    """Go through an array of an .npz file a few rows at a time.

    Yields
    ------
    ndarray (n, …)

    Raises
    ------
    InputError
        For an array that is damaged or is not as long as it says.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npz")
    >>> np.savez(path, x=np.arange(6).reshape(3, 2))
    >>> [rows.tolist() for rows in read_rows(path, "x")]
    [[[0, 1], [2, 3], [4, 5]]]
    """
    where = f"{path}: {name}.npy"
    with _opened(path) as archive, archive.open(f"{name}.npy") as stream:
        header = _header(stream, where)
        found, length = 0, math.prod(header.shape[1:]) * header.dtype.itemsize
        # To the end of the member: its checksum is compared only there.
        for block in records(stream, length, where):
            found += len(block)
            if found <= header.shape[0]:
                yield block.view(header.dtype).reshape(-1, *header.shape[1:])
        if found != header.shape[0]:
            raise InputError(where, f"holds {found:,} of {header.shape[0]:,} rows", todo="get the file again")


def _header(stream: BinaryIO, where: str) -> Header:
    try:
        read = HEADERS[np.lib.format.read_magic(stream)]
        shape, columns_first, dtype = read(stream)
    except (ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            where, f"is no array that can be read ({reason})", todo="get the file again"
        ) from None
    if dtype.hasobject:
        raise InputError(
            where,
            "is an array of Python objects, which is a pickle: nothing of it was read",
            "an array of numbers",
            "use the file as published",
        )
    empty = not shape or min(shape) < 0 or 0 in shape[1:] or dtype.itemsize == 0
    if empty or (columns_first and len(shape) > 1):
        order = ", columns first" if columns_first else ""
        raise InputError(where, f"has the shape {shape}{order}", "rows of numbers, one after the other")
    return Header(shape, dtype)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (*DAMAGES, RuntimeError, NotImplementedError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(path, f"is no .npz file, or damaged ({reason})", todo="get it again") from None
    except OSError as error:
        raise InputError(path, f"can't be read ({error.strerror})") from None
