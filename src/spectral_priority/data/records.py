"""Files of records of one length, read a few at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from ..errors import InputError

CHUNK_BYTES = 4 << 20
"""Bytes read at a time, at most, beyond one record."""


class Readable(Protocol):
    """Something with `read`."""

    def read(self, most: int = -1, /) -> bytes:
        """Read so many bytes, fewer only at the end."""


def records(stream: Readable, length: int, where: object) -> Iterator[np.ndarray]:
    """Read records of so many bytes each.

    Yields
    ------
    ndarray (n, length) uint8

    Raises
    ------
    InputError
        Where the file ends inside a record.

    Examples
    --------
    >>> import io
    >>> [block.tolist() for block in records(io.BytesIO(bytes(range(6))), 3, "file")]
    [[[0, 1, 2], [3, 4, 5]]]
    """
    most = max(1, CHUNK_BYTES // length) * length
    while content := stream.read(most):
        while len(content) < most and (more := stream.read(most - len(content))):
            content += more
        whole, rest = divmod(len(content), length)
        if rest:
            raise InputError(
                where, f"ends after {rest} bytes of a record", f"records of {length:,} bytes", "get it again"
            )
        yield np.frombuffer(content, dtype=np.uint8).reshape(whole, length)


def numbered(part: str, start: int, count: int) -> list[str]:
    """Name images by their part of the set and their place in it.

    >>> numbered("train", 8, 2)
    ['train/000008', 'train/000009']
    """
    return [f"{part}/{number:06d}" for number in range(start, start + count)]
