"""Pickles read as plain values: CIFAR is published as pickles, and a pickle may ask for any code to be run.

What a batch of CIFAR needs are mappings, lists, texts, numbers and arrays of bytes. The three names by which a pickle
makes an array stand for classes of this file, which only keep what they are told; every other name is refused before it
is looked up, so that nothing of the pickle's choosing is ever imported or called.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, NoReturn

import numpy as np

from ...errors import InputError

BYTES_TYPES = ("u1", b"u1", "|u1", b"|u1")


class _Type:
    """Stands for numpy.dtype."""

    def __init__(self, name: object, *rest: object):
        self.name = name

    def __setstate__(self, state: object) -> None:
        """Byte order and alignment: bytes have neither."""


class _Array:
    """Stands for numpy.ndarray: shape and bytes as told."""

    told: tuple = ()

    def __setstate__(self, state: object) -> None:
        self.told = state if isinstance(state, tuple) else ()

    def pixels(self) -> np.ndarray:
        """Return the array; raises ValueError for anything but bytes of the right number."""
        _, shape, kind, columns_first, content = self.told
        if not isinstance(kind, _Type) or kind.name not in BYTES_TYPES:
            raise ValueError("an array of other numbers than bytes")
        if not isinstance(content, bytes) or columns_first:
            raise ValueError("an array whose content is not plain bytes, row by row")
        return np.frombuffer(content, dtype=np.uint8).reshape(shape)


class _Reconstruct:
    """Stands for the function that makes an array, to be filled afterwards."""

    def __call__(self, kind: object, *rest: object) -> _Array:
        if kind is not _Array:
            raise ValueError("an array of a kind of its own")
        return _Array()

    def __setstate__(self, state: object) -> NoReturn:
        raise ValueError("a function is to be changed")


STANDINS: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}
"""What a pickle may name."""


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STANDINS:
            raise _ForeignName(f"{module}.{name}")
        return STANDINS[module, name]

    def persistent_load(self, identity: object) -> NoReturn:
        raise _ForeignName("something outside the file")


class _ForeignName(Exception):
    """A name that plain data don't need."""


def read_plain(content: bytes, where: object) -> dict[bytes, Any]:
    """Read a pickled mapping of plain values.

    Parameters
    ----------
    content : bytes
        The pickle, with Python 2's texts as bytes.
    where : object
        What messages call the file.

    Returns
    -------
    dict
        By keys of bytes; arrays are ndarray of uint8.

    Raises
    ------
    InputError
        For a pickle that names anything but arrays, is damaged, or holds no mapping. Nothing was run.

    Examples
    --------
    >>> read_plain(pickle.dumps({b"labels": [6, 9]}, protocol=3), "batch")
    {b'labels': [6, 9]}
    """
    try:
        found = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(found, dict):
            raise ValueError("no mapping")
        return {
            key.encode() if isinstance(key, str) else key: value.pixels()
            if isinstance(value, _Array)
            else value
            for key, value in found.items()
        }
    except _ForeignName as error:
        raise InputError(
            where,
            f"is a pickle that names {error}: nothing of it was run",
            "arrays of bytes, mappings, lists, texts and numbers",
            "delete it: it is not the published file; then get that one",
        ) from None
    except Exception as error:  # a damaged pickle raises almost anything
        reason = " ".join(str(error).split())[:100]
        raise InputError(
            where, f"is no pickle that can be read ({type(error).__name__}: {reason})", todo="get it again"
        ) from None
