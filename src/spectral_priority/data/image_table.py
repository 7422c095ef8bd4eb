"""Images as tables list them: where a file's split, classes and group are looked up, and which files were found."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import InputError
from .batches import Placement
from .images import HELD_OUT, TRAIN

LEFT_OUT = 2
"""Split of rows beside `TRAIN` and `HELD_OUT`: images that are never packed."""
SHOWN = 5
"""Classes and files named in a message."""


class ImageTable:
    """Split, classes and group of image files by their paths; about 220 bytes in memory for each.

    A file is known by the end of its path: it may lie in folders that the table doesn't name.

    Parameters
    ----------
    labels : sequence of str
        Label columns.

    Examples
    --------
    >>> table = ImageTable(["bird"])
    >>> table.add("a/1.png", TRAIN, ["crow"], where="birds.csv", line=2)
    >>> table.find(Path("birds.zip"), "pictures/a/1.png")
    'a/1.png'
    >>> table.place(["a/1.png"]).classes
    {'bird': ['crow']}
    >>> list(table.missing())
    []
    """

    def __init__(self, labels: Sequence[str]):
        self.labels = tuple(labels)
        self.repeated = 0
        self._row: dict[str, int] = {}
        self._path: list[str] = []
        self._where: list[object] = []
        self._line, self._table = array("i"), array("B")
        self._split, self._found = bytearray(), bytearray()
        self._number: dict[str, dict[str, int]] = {label: {} for label in self.labels}
        self._class = {label: array("i") for label in self.labels}
        self._group: list[str] = []
        self._deepest = 1

    def __len__(self) -> int:
        return len(self._path)

    def add(
        self, path: str, split: int, classes: Sequence[str], group: str = "", *, where: object, line: int
    ) -> None:
        """Take in a row.

        Parameters
        ----------
        path : str
            Path of the file; `./` and back slashes are made plain.
        split : int
            `TRAIN`, `HELD_OUT` or `LEFT_OUT`.
        classes : sequence of str
            Class of each label.
        group : str
            What the image belongs to; empty: unknown.
        where, line : object, int
            The table and the line, for messages.

        Raises
        ------
        InputError
            For a file that an earlier row lists with another split, class or group.
        """
        parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
        key = "/".join(parts)
        numbers = [
            self._number[label].setdefault(name, len(self._number[label]))
            for label, name in zip(self.labels, classes, strict=True)
        ]
        if not self._where or self._where[-1] != where:
            self._where.append(where)
        if key in self._row:
            row = self._row[key]
            earlier = (self._split[row], self._group[row], [self._class[label][row] for label in self.labels])
            if earlier != (split, group, numbers):
                raise InputError(
                    f"{where}, line {line}",
                    f"lists {path}, which {self._tell(row)} lists with another split, class or group",
                    "every file once, or always with the same cells",
                    "remove the wrong row",
                )
            self.repeated += 1
            return
        self._row[key] = len(self._path)
        self._path.append(key)
        self._line.append(line)
        self._table.append(len(self._where) - 1)
        self._split.append(split)
        self._found.append(0)
        self._group.append(group)
        for label, number in zip(self.labels, numbers, strict=True):
            self._class[label].append(number)
        self._deepest = max(self._deepest, len(parts))

    def find(self, path: Path, member: str) -> str | None:
        """Return the path by which an image is listed; None where it is not, or is left out. It counts as found."""
        parts = [*path.parts, *member.split("/")]
        for start in range(max(0, len(parts) - self._deepest), len(parts)):
            row = self._row.get("/".join(parts[start:]))
            if row is not None:
                self._found[row] = 1
                return None if self._split[row] == LEFT_OUT else self._path[row]
        return None

    def leaves_out(self, path: Path, member: str) -> bool:
        """Tell whether an image is listed, but left out."""
        parts = [*path.parts, *member.split("/")]
        rows = (self._row.get("/".join(parts[start:])) for start in range(len(parts)))
        row = next((row for row in rows if row is not None), None)
        return row is not None and self._split[row] == LEFT_OUT

    def missing(self) -> Iterator[dict[str, str]]:
        """Yield every file that is listed and was not found, as `source` and `reason`."""
        for row, path in enumerate(self._path):
            if not self._found[row] and self._split[row] != LEFT_OUT:
                yield {
                    "source": path,
                    "reason": f"{self._tell(row)} lists it, but there is no image file of that name",
                }

    def leave_out_untrained(self, label: str) -> dict[str, int]:
        """Leave out held-out images of classes without training images; return how many, by class."""
        split, classes = np.frombuffer(self._split, np.uint8), np.frombuffer(self._class[label], np.int32)
        number = len(self._number[label])
        untrained = np.bincount(classes[split == TRAIN], minlength=number) == 0
        rows = np.flatnonzero((split == HELD_OUT) & untrained[classes])
        count = np.bincount(classes[rows], minlength=number)
        del split, classes  # a view keeps the arrays from growing
        for row in rows:
            self._split[row] = LEFT_OUT
        return {name: int(count[one]) for name, one in self._number[label].items() if count[one]}

    def without_group(self) -> int:
        """Return how many rows have no group."""
        return sum(not group for group in self._group)

    def keep_groups_whole(self) -> tuple[int, int]:
        """Move held-out images of groups that have training images to training; return how many images, groups."""
        trained = {
            group for group, split in zip(self._group, self._split, strict=True) if group and split == TRAIN
        }
        moved, groups = 0, set()
        for row, group in enumerate(self._group):
            if self._split[row] == HELD_OUT and group in trained:
                self._split[row] = TRAIN
                moved += 1
                groups.add(group)
        return moved, len(groups)

    def place(self, keys: Sequence[str]) -> Placement:
        """Tell where images belong; the classes are those of images that are there.

        Raises
        ------
        InputError
            Where no image is left for training, or a held-out class has no training images.
        """
        rows = np.fromiter((self._row[key] for key in keys), np.int64, len(keys))
        split = np.array(self._split, dtype=np.uint8)[rows]
        if not (split == TRAIN).any():
            raise InputError(
                ", ".join(map(str, self._where)),
                "none of its training images is there",
                "images of the training split",
                "look at the column of the split, and at the values that mean training",
            )
        placement = Placement(list(keys), split, {}, {})
        for label in self.labels:
            number = np.array(self._class[label], dtype=np.int64)[rows]
            names = list(self._number[label])
            there = sorted({names[one] for one in np.unique(number)}, key=_in_order)
            rank = np.full(len(names), -1, dtype=np.int32)
            rank[[self._number[label][name] for name in there]] = np.arange(len(there))
            placement.labels[label], placement.classes[label] = rank[number], there
            self._check_trained(label, placement, rows)
        group = [self._group[row] for row in rows]
        placement.group = group if any(group) else []
        return placement

    def _check_trained(self, label: str, placement: Placement, rows: np.ndarray) -> None:
        labels, names = placement.labels[label], placement.classes[label]
        untrained = np.bincount(labels[placement.split == TRAIN], minlength=len(names)) == 0
        if not untrained.any():
            return
        first = int(np.flatnonzero(untrained[labels])[0])
        shown = ", ".join(np.array(names)[untrained][:SHOWN])
        raise InputError(
            self._tell(int(rows[first])),
            f"label {label}: {int(untrained.sum())} classes of held-out images have no training images: {shown}",
            "classes of the training split",
            "name their split in left_out_values, or move some of their images to training",
        )

    def _tell(self, row: int) -> str:
        return f"{self._where[self._table[row]]}, line {self._line[row]}"


def _in_order(name: str) -> tuple[int, int, str]:
    """Whole numbers by their size, before names."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)
