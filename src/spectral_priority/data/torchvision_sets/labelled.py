"""Classes of torchvision sets, and the labels of their images as they are met in the files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ...errors import InputError
from ..batches import Placement
from ..images import HELD_OUT, TRAIN

CLASSES = Path(__file__).parents[1] / "tables" / "torchvision_classes.csv"
"""Classes by set, label and number (tables/README.md tells where they are from)."""


def read_classes(name: str) -> list[dict[str, str]]:
    """Return the rows of a set: label, number, class, title, superclass.

    >>> [row["class"] for row in read_classes("stl10")][:3]
    ['airplane', 'bird', 'car']
    """
    with CLASSES.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["set"] == name]


class LabelledImages:
    """What is known of a set's images: labels by part of the set, in the order of the files.

    An image is called `<part>/<number>`; a part is a split, or a file of one (`train/data_batch_1`).

    Parameters
    ----------
    name : str
        The set.
    warnings : list of str
        What the pack report is to say.

    Examples
    --------
    >>> images = LabelledImages("mnist", [])
    >>> images.note("test", "class", np.array([7, 2]), "labels")
    >>> placement = images.place(["test/000001", "test/000000"])
    >>> placement.labels["class"].tolist(), placement.split.tolist()
    ([2, 7], [1, 1])
    """

    def __init__(self, name: str, warnings: list[str]):
        self.name, self.warnings = name, list(warnings)
        self.rows = read_classes(name)
        self.classes: dict[str, list[str]] = {}
        for row in self.rows:
            self.classes.setdefault(row["label"], []).append(row["class"])
        self._labels: dict[tuple[str, str], np.ndarray] = {}

    def note(self, part: str, column: str, numbers: np.ndarray, where: object) -> None:
        """Take in the labels of a part; a number that is no class is refused by the file's name."""
        numbers = np.asarray(numbers).reshape(-1)
        most = len(self.classes[column])
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= most):
            strange = next(int(number) for number in numbers if not 0 <= number < most)
            raise InputError(
                where,
                f"found the label {strange} of an image",
                f"{column}: 0 … {most - 1} for {self.name}",
                "get the file again",
            )
        self._labels[part, column] = numbers.astype(np.int32)

    def place(self, keys: list[str]) -> Placement:
        """Tell split and labels of images by their keys."""
        part = np.array([key.rpartition("/")[0] for key in keys])
        number = np.array([int(key.rpartition("/")[2]) for key in keys], dtype=np.int64)
        labels = {column: np.zeros(len(keys), dtype=np.int32) for column in self.classes}
        for one in {*part.tolist(), *(noted for noted, _ in self._labels)}:
            mine = part == one
            for column in self.classes:
                known = self._labels.get((one, column), np.zeros(0, dtype=np.int32))
                if len(known) != mine.sum():
                    raise InputError(
                        f"{self.name}, {one}",
                        f"{mine.sum()} images and {len(known)} labels ({column})",
                        "a label for every image",
                        "a file is missing or damaged: get the set again",
                    )
                labels[column][mine] = known[number[mine]]
        edges = self._check_superclasses(labels)
        return Placement(
            source=list(keys),
            split=np.array([HELD_OUT if key.startswith("test") else TRAIN for key in keys], dtype=np.uint8),
            labels=labels,
            classes=self.classes,
            titles={row["class"]: row["title"] for row in self.rows},
            hierarchy={"class": edges} if edges else {},
            warnings=self.warnings,
        )

    def _check_superclasses(self, labels: dict[str, np.ndarray]) -> list[tuple[str, str]]:
        """Return the edges from superclass to class, which every image's two labels must agree with."""
        superclasses = self.classes.get("superclass")
        if not superclasses:
            return []
        of = [row["superclass"] for row in self.rows if row["label"] == "class"]
        expected = np.array([superclasses.index(name) for name in of])[labels["class"]]
        strange = np.flatnonzero(expected != labels["superclass"])
        if len(strange):
            name = self.classes["class"][labels["class"][strange[0]]]
            raise InputError(
                self.name,
                f"{len(strange)} images have a superclass that is not their class's, such as one of {name}",
                "the published superclasses",
                "get the set again",
            )
        roots = [(self.name, superclass) for superclass in superclasses]
        return roots + list(zip(of, self.classes["class"], strict=True))
