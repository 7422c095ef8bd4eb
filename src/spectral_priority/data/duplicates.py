"""Pairs of images that show the same: found once per data set, kept together by tiers, reported by the audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..store.tables import read_csv

COLUMNS = ("first", "second", "kind", "distance")
"""Places of two images in images.h5, first < second; `identical` (the same pixels) or `near`; their distance."""


def read_duplicates(path: str | Path, number: int, kind: str | None = None) -> np.ndarray:
    """Read which images show the same.

    Parameters
    ----------
    path : path
        duplicates.csv.
    number : int
        Number of images of the data set.
    kind : {"identical", "near"}, optional
        The pairs of this kind alone.

    Returns
    -------
    ndarray (pair, 2) int64
        Places of the images in images.h5.

    Raises
    ------
    InputError
        For a file that belongs to other images.
    """
    frame = read_csv(path, list(COLUMNS))
    pairs = frame[["first", "second"]].to_numpy(dtype=np.int64).reshape(-1, 2)
    if len(pairs) and not 0 <= pairs.min() <= pairs.max() < number:
        raise InputError(
            path,
            f"speaks of image {pairs.max()}",
            f"images 0 … {number - 1}",
            "delete it; the duplicates rule makes it again",
        )
    return pairs if kind is None else pairs[(frame["kind"] == kind).to_numpy(dtype=bool)]
