"""Images that show the same: found once per data set, kept together by tiers, reported by the audit.

`identical` images have the same pixels in the pack. `near` ones have nearly the same 16 × 16 grey thumbnail, as another
encoder, another resampling, another brightness or contrast and neighbouring slices of one scan leave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..store.tables import read_csv, write_csv

COLUMNS = ("first", "second", "kind", "distance")
"""Places of two images in images.h5, first < second; `identical` or `near`; how far apart, in grey levels."""
TWIN_COLUMNS = ("image", "identical", "near", "across")
"""Place of an image; how many identical and how many near-duplicates it has; whether one lies in the other split."""


@dataclass(frozen=True)
class Duplicates:
    """Which images of a data set show the same.

    Attributes
    ----------
    first, second : ndarray (pair,) int64
        A shortest set of pairs that joins all images which show the same, directly or by others.
    identical : ndarray (pair,) bool
    distance : ndarray (pair,) float64
        Root mean square difference of the thumbnails, after their contrast was made equal where that is less.
    twins : ndarray (sample,) int64
        Identical images that each image has.
    near : ndarray (sample,) int64
        Near-duplicates that each image has, identical ones not counted.
    across : ndarray (sample,) bool
        Whether one of these lies in the other split.
    """

    first: np.ndarray
    second: np.ndarray
    identical: np.ndarray
    distance: np.ndarray
    twins: np.ndarray
    near: np.ndarray
    across: np.ndarray

    def write(self, pairs: str | Path, images: str | Path) -> None:
        """Write duplicates.csv (the pairs) and twins.csv (the images that have any)."""
        import pandas as pd

        kind = np.where(self.identical, "identical", "near")
        rows = (self.first, self.second, kind, self.distance.round(3))
        write_csv(pairs, pd.DataFrame(dict(zip(COLUMNS, rows, strict=True))))
        some = np.flatnonzero((self.twins > 0) | (self.near > 0))
        rows = (some, self.twins[some], self.near[some], self.across[some].astype(int))
        write_csv(images, pd.DataFrame(dict(zip(TWIN_COLUMNS, rows, strict=True))))

    @classmethod
    def read(cls, pairs: str | Path, images: str | Path, number: int) -> Duplicates:
        """Read what was written, for a data set of that many images.

        Raises
        ------
        InputError
            For files that belong to other images.
        """
        joined, frame = read_duplicates(pairs, number), read_csv(pairs, list(COLUMNS), ["kind"])
        twins = read_csv(images, list(TWIN_COLUMNS))
        counts = np.zeros((3, number), dtype=np.int64)
        some = twins["image"].to_numpy(dtype=np.int64)
        _check_places(images, some, number)
        counts[:, some] = twins[list(TWIN_COLUMNS[1:])].to_numpy(dtype=np.int64).T
        return cls(
            joined[:, 0],
            joined[:, 1],
            (frame["kind"] == "identical").to_numpy(dtype=bool),
            frame["distance"].to_numpy(dtype=float),
            counts[0],
            counts[1],
            counts[2] > 0,
        )


def read_duplicates(path: str | Path, number: int, kind: str | None = None) -> np.ndarray:
    """Read which images show the same.

    Parameters
    ----------
    path : path
        duplicates.csv.
    number : int
        Number of images of the data set.
    kind : {"identical", "near"}, optional
        Pairs of this kind only.

    Returns
    -------
    ndarray (pair, 2) int64
        Places of the images in images.h5.

    Raises
    ------
    InputError
        For a file that belongs to other images.
    """
    frame = read_csv(path, list(COLUMNS), ["kind"])
    pairs = frame[["first", "second"]].to_numpy(dtype=np.int64).reshape(-1, 2)
    _check_places(path, pairs, number)
    return pairs if kind is None else pairs[(frame["kind"] == kind).to_numpy(dtype=bool)]


def _check_places(path: str | Path, places: np.ndarray, number: int) -> None:
    if places.size and not 0 <= places.min() <= places.max() < number:
        raise InputError(
            path,
            f"speaks of image {places.max()}",
            f"images 0 … {number - 1}",
            "delete it; the duplicates rule makes it again",
        )
