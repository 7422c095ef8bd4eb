"""MedMNIST (Yang et al. 2023): small medical images in .npz files, each with three splits and their labels.

One file is a task of its own: its label is `class`, or, of ChestMNIST, whose images have several findings, a 0/1 label
per finding. Several files together tell which set an image is of (`dataset`) and what it shows (`class`). MedMNIST says
nothing of patients, so images have no groups: its own splits alone can keep patients apart.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config.image_sources import MedMNIST
from ..errors import InputError
from .batches import Placement
from .image_arrays import Block
from .images import HELD_OUT, TRAIN
from .npz import Header, read_headers, read_rows
from .records import numbered

LABELS = Path(__file__).parent / "tables" / "medmnist_labels.csv"
"""What the labels mean, by set and number (tables/README.md tells where it is from)."""
SPLITS = ("train", "val", "test")
ARRAYS = tuple(f"{split}_{what}" for split in SPLITS for what in ("images", "labels"))
MANY = "multi-label"


@dataclass(frozen=True)
class _Set:
    """A file: the set's name, what its labels mean, and the labels by split, (image, label)."""

    path: Path
    name: str
    titles: list[str]
    labels: dict[str, np.ndarray]

    @property
    def columns(self) -> int:
        return self.labels["train"].shape[1]


class MedMNISTReader:
    """Reader of MedMNIST files.

    Parameters
    ----------
    options : MedMNIST
    data_root : path
        Folder that paths start from.
    max_pixels : int
        Most pixels of an image, by the arrays' headers.

    Raises
    ------
    InputError
        For a file that is no MedMNIST file of two-dimensional images, or can't stand beside the others.
    """

    def __init__(self, options: MedMNIST, data_root: Path, max_pixels: int):
        self.options = options
        self.sets: list[_Set] = []
        self.total: int | None = 0
        for path in _files(data_root / path for path in options.paths):
            one, images = _open_set(path, max_pixels)
            if one.name in (other.name for other in self.sets):
                raise InputError(path, f"is the set {one.name} once more", "every set at one size")
            self.sets.append(one)
            self.total += images
        self.single = self.sets[0] if len(self.sets) == 1 else None
        several = [one for one in self.sets if one.columns > 1]
        if several and not self.single:
            raise InputError(
                several[0].path,
                "has several labels per image, which are no classes beside those of other sets",
                "alone, or left out",
                "name the other files in source.paths one by one",
            )

    def blocks(self) -> Iterator[Block]:
        """Go through all images once."""
        for one in self.sets:
            for split in SPLITS:
                start = 0
                for rows in read_rows(one.path, f"{split}_images"):
                    pixels = rows if rows.ndim == 4 else rows[..., None]
                    yield numbered(f"{split}/{one.name}", start, len(rows)), pixels
                    start += len(rows)

    def place(self, keys: list[str]) -> Placement:
        """Tell split and labels of images by their keys (`test/pathmnist/000012`)."""
        part = np.array([key.rpartition("/")[0] for key in keys])
        number = np.array([int(key.rpartition("/")[2]) for key in keys], dtype=np.int64)
        held_out = tuple(f"{split}/" for split in self.options.held_out)
        split = [HELD_OUT if key.startswith(held_out) else TRAIN for key in keys]
        labels = np.zeros((len(keys), self.sets[0].columns), dtype=np.int32)
        dataset = np.zeros(len(keys), dtype=np.int32)
        first = 0
        for place, one in enumerate(self.sets):
            for called in SPLITS:
                mine = part == f"{called}/{one.name}"
                labels[mine] = first + one.labels[called][number[mine]]
                dataset[mine] = place
            first += len(one.titles)
        findings = self.sets[0].columns > 1
        meaning = self._of_findings(labels) if findings else self._of_classes(labels[:, 0], dataset)
        return Placement(list(keys), np.array(split, dtype=np.uint8), **meaning)

    def _of_findings(self, labels: np.ndarray) -> dict[str, Any]:
        findings = self.sets[0].titles
        return {
            "labels": {finding: labels[:, place] for place, finding in enumerate(findings)},
            "classes": {finding: [f"no-{finding}", finding] for finding in findings},
        }

    def _of_classes(self, label: np.ndarray, dataset: np.ndarray) -> dict[str, Any]:
        if self.single:
            titles = {str(number): title for number, title in enumerate(self.single.titles)}
            return {"labels": {"class": label}, "classes": {"class": list(titles)}, "titles": titles}
        titles, edges = {}, []
        for one in self.sets:
            own = {f"{one.name}-{number}": title for number, title in enumerate(one.titles)}
            edges += [("medmnist", one.name), *((one.name, name) for name in own)]
            titles |= own
        return {
            "labels": {"class": label, "dataset": dataset},
            "classes": {"class": list(titles), "dataset": [one.name for one in self.sets]},
            "titles": titles,
            "hierarchy": {"class": edges},
        }


def read_meanings(name: str) -> tuple[str, list[str]]:
    """Return the task of a set (`multi-class`, `multi-label`) and what its labels mean; of an unknown one nothing.

    >>> read_meanings("pneumoniamnist"), read_meanings("mymnist")
    (('multi-class', ['normal', 'pneumonia']), ('', []))
    """
    with LABELS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == name]
    return (rows[0]["task"] if rows else ""), [row["title"] for row in rows]


def _files(paths: Iterator[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(path.glob("*.npz"))
        if not inside:
            raise InputError(path, "holds no .npz file", "MedMNIST files, such as pathmnist.npz")
        yield from inside


def _open_set(path: Path, max_pixels: int) -> tuple[_Set, int]:
    """Check a file by its headers and read its labels; return it and the number of its images."""
    headers = read_headers(path)
    missing = [name for name in ARRAYS if name not in headers]
    if missing:
        raise InputError(
            path,
            f"is no MedMNIST file: it has no {', '.join(missing)}",
            ", ".join(ARRAYS),
            "take it out of paths",
        )
    for split in SPLITS:
        _check_images(path, f"{split}_images", headers[f"{split}_images"], max_pixels)
        _check_labels(path, split, headers)
    name = path.stem.partition("_")[0].lower()  # pathmnist_64.npz holds pathmnist at 64 pixels
    task, titles = read_meanings(name)
    labels = {split: _read_labels(path, f"{split}_labels", headers) for split in SPLITS}
    columns, most = labels["train"].shape[1], 1 + max(int(found.max(initial=0)) for found in labels.values())
    if any(found.shape[1] != columns for found in labels.values()) or (
        titles and (columns > 1) != (task == MANY)
    ):
        raise InputError(path, f"has {columns} labels per image", "one, or the same findings in all splits")
    if columns > 1:
        titles = titles or [f"finding-{number}" for number in range(columns)]
        allowed = 2
    else:
        titles = titles or [str(number) for number in range(most)]
        allowed = len(titles)
    if most > allowed or (columns > 1 and len(titles) != columns):
        raise InputError(
            path, f"has labels up to {most - 1}, {columns} per image", f"those of {name}: 0 … {allowed - 1}"
        )
    return _Set(path, name, titles, labels), sum(headers[f"{split}_images"].shape[0] for split in SPLITS)


def _check_images(path: Path, name: str, header: Header, max_pixels: int) -> None:
    shape = header.shape
    if len(shape) == 5 or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise InputError(
            f"{path}: {name}",
            f"holds volumes of {' × '.join(map(str, shape[1:]))}",
            "images: grey (n, y, x) or RGB (n, y, x, 3)",
            "leave the three-dimensional sets out of paths",
        )
    if len(shape) not in (3, 4) or header.dtype != np.uint8:
        raise InputError(
            f"{path}: {name}",
            f"is {header.dtype} of the shape {shape}",
            "8-bit images: (n, y, x) or (n, y, x, 3)",
        )

    if shape[1] * shape[2] > max_pixels:
        raise InputError(
            f"{path}: {name}",
            f"holds images of {shape[1]} × {shape[2]} pixels",
            f"at most max_pixels = {max_pixels:,}",
        )


def _check_labels(path: Path, split: str, headers: dict[str, Header]) -> None:
    images, labels = headers[f"{split}_images"], headers[f"{split}_labels"]
    if labels.dtype.kind not in "iu" or len(labels.shape) > 2 or labels.shape[0] != images.shape[0]:
        raise InputError(
            f"{path}: {split}_labels",
            f"is {labels.dtype} of the shape {labels.shape} for {images.shape[0]} images",
            "whole numbers, a row for every image",
            "get the file again",
        )


def _read_labels(path: Path, name: str, headers: dict[str, Header]) -> np.ndarray:
    rows = [block.copy() for block in read_rows(path, name)]
    found = np.concatenate(rows) if rows else np.zeros(headers[name].shape)
    found = found.reshape(len(found), -1).astype(np.int64)
    if found.min(initial=0) < 0:
        raise InputError(f"{path}: {name}", f"found the label {found.min()}", "0 and above")
    return found.astype(np.int32)
