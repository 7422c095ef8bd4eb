"""Ground truth of ImageNet's validation images, in each of the forms in which it goes around."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from ..errors import InputError

NAMES = (
    "ILSVRC2012_validation_ground_truth.txt",
    "imagenet_2012_validation_synset_labels.txt",
    "synset_labels.txt",
    "LOC_val_solution.csv",
    "val.txt",
    "val_list.txt",
)
"""Usual names of these files."""
COMMON = ("val.txt", "val_list.txt")
"""Names that files of other data sets have, too."""
IMAGE = re.compile(r"(?:.*/)?ILSVRC2012_val_(\d{8})(\.jpe?g)?", re.IGNORECASE)
WNID = re.compile(r"n\d{8}")


class GroundTruth:
    """Classes of validation images by their numbers.

    Four forms are known by their content: an ILSVRC2012_ID (1 … 1000) in each line; a WordNet id in each line; a file
    name and the class's place (0 … 999) in the order of the WordNet ids, or its WordNet id; and Kaggle's
    LOC_val_solution.csv. In the first two the line is the image's number.

    Parameters
    ----------
    ids : mapping of int to str
        WordNet id of every ILSVRC2012_ID.

    Attributes
    ----------
    wnid_of : dict of int to str
        What is known so far.

    Examples
    --------
    >>> truth = GroundTruth({1: "n02119789", 2: "n01440764"})
    >>> truth.note("val.txt", b"ILSVRC2012_val_00000001.JPEG 0\\nILSVRC2012_val_00000002.JPEG 1\\n")
    >>> truth.of(1, "an image"), truth.of(2, "an image")
    ('n01440764', 'n02119789')
    """

    def __init__(self, ids: Mapping[int, str]):
        self.wnid_of: dict[int, str] = {}
        self._ids, self._sorted = ids, sorted(ids.values())
        self._known = frozenset(self._sorted)
        self._file_of: dict[int, str] = {}
        self._read: list[str] = []

    def reads(self, member: str) -> bool:
        """Tell whether a file has a usual name of ground truth."""
        return PurePosixPath(member).name in NAMES

    def note(self, member: str, content: bytes, named: bool = False) -> None:
        """Take in a file.

        Parameters
        ----------
        member : str
            Its path, for messages.
        content : bytes
        named : bool
            Whether the study names it. Otherwise it is passed over where it is a list of images without classes, as
            Kaggle's ILSVRC/ImageSets/CLS-LOC/val.txt, or has a common name and begins like another data set's.

        Raises
        ------
        InputError
            Naming the line that can't be meant, or contradicts another file.
        """
        lines = content.decode("utf-8-sig", "replace").splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        first = lines[0].split() if lines else []
        if _is_list_of_images(first):
            if not named:
                return
            raise InputError(
                f"{member}, line 1",
                f"found {lines[0][:60]!r}: a list of images, whose numbers are no classes",
                "a file that tells the class of every image",
                "name another file in source.ground_truth",
            )
        by_number = len(first) == 1 and "," not in first[0]
        common = not named and PurePosixPath(member).name in COMMON
        if common and (not first or self._by_name(lines[0])[0] is None):
            return
        start = 1 if lines and lines[0].replace(" ", "") == "ImageId,PredictionString" else 0
        if len(lines) == start:
            raise InputError(member, "holds no ground truth", "a line for every validation image")
        for position, line in enumerate(lines[start:], start=start + 1):
            number, wnid = self._by_number(position, line) if by_number else self._by_name(line)
            if number is None or wnid not in self._known:
                raise InputError(
                    f"{member}, line {position}",
                    f"found {line[:60]!r}",
                    "in every line an ILSVRC2012_ID (1 … 1000), or a WordNet id; or a file name with the class's "
                    "place 0 … 999 among the sorted WordNet ids, or with its WordNet id; or LOC_val_solution.csv",
                )
            if self.wnid_of.setdefault(number, wnid) != wnid:
                raise InputError(
                    f"{member}, line {position}",
                    f"says that validation image {number} shows {wnid}, and {self._file_of[number]} says "
                    f"{self.wnid_of[number]}",
                    "files that agree",
                    "name the right one in source.ground_truth",
                )
            self._file_of.setdefault(number, member)
        self._read.append(member)

    def of(self, number: int, where: object) -> str:
        """Return the class of a validation image; refuse one that no file tells."""
        if number not in self.wnid_of:
            raise InputError(
                where,
                "its class is not known: "
                + (
                    f"{', '.join(self._read)} has no such image"
                    if self._read
                    else "no ground truth was found"
                ),
                f"validation images in class folders, or a file called {', '.join(NAMES)}",
                "put one into data_root, or name it in source.ground_truth",
            )
        return self.wnid_of[number]

    def _by_number(self, position: int, line: str) -> tuple[int, str | None]:
        word = line.strip()
        return position, self._ids.get(int(word)) if word.isdecimal() else word

    def _by_name(self, line: str) -> tuple[int | None, str | None]:
        words = line.replace(",", " ").split()
        image = IMAGE.fullmatch(words[0]) if len(words) > 1 else None
        if image is None:
            return None, None
        word = words[1]
        if word.isdecimal():
            place = int(word)
            return int(image[1]), self._sorted[place] if place < len(self._sorted) else None
        return int(image[1]), word if WNID.fullmatch(word) else None


def _is_list_of_images(words: list[str]) -> bool:
    """Tell the first line of Kaggle's ILSVRC/ImageSets/CLS-LOC/val.txt: a name without suffix, and a running number."""
    image = IMAGE.fullmatch(words[0]) if len(words) == 2 else None
    return image is not None and image[2] is None and words[1].isdecimal()
