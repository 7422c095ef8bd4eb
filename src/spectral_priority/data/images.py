"""Packed images: one HDF5 file per data set and size, mapped into memory and shared by all processes."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import InputError

SCHEMA, KIND = "spectral-priority/1", "images"
TRAIN, HELD_OUT = 0, 1
"""Values of `split`."""


class PackedImages:
    """The images of one data set at one size.

    Parameters
    ----------
    path : path
        images.h5 (docs/architecture.md tells its layout).

    Attributes
    ----------
    pixels : ndarray (sample, y, x, channel) uint8
        Read-only, mapped: only what is touched is read, and processes share it.
    split : ndarray (sample,) uint8
        0 = train, 1 = held out.

    Raises
    ------
    InputError
        For a missing, damaged or foreign file, by name.
    """

    def __init__(self, path: str | Path):
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
                stored = file["images"]
                shape, offset = stored.shape, stored.id.get_offset()
                self.split = file["split"][:]
                self._labels = {
                    name.removeprefix("label_"): file[name][:] for name in file if name.startswith("label_")
                }
        except (OSError, KeyError, ValueError) as error:
            raise InputError(
                self.path, f"is damaged or no packed data set ({error})", todo="delete it and pack again"
            ) from error
        if offset is None or self.path.stat().st_size < offset + int(np.prod(shape)):
            raise InputError(self.path, "is cut short", todo="delete it and pack again")
        self.pixels = np.memmap(self.path, dtype=np.uint8, mode="r", offset=offset, shape=shape)

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """Number of channels: 1 or 3."""
        return int(self.pixels.shape[3])

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
        """What people call a class, by its name; classes without a title are left out."""
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

    def check_column(self, column: str) -> None:
        """Refuse a label column that the data set doesn't have."""
        if column not in self._labels:
            raise InputError(
                f"{self.path}: label {column!r}", "is not a label of this data set", ", ".join(self._labels)
            )
