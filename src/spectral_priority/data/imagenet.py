"""ILSVRC-2012 (ImageNet-1k) in any of its forms, whole or some of its classes."""

from __future__ import annotations

import re
from pathlib import Path

from ..config.image_sources import ImageNet
from ..errors import InputError
from .batches import Placement
from .hierarchy import IMAGENET, above, read_edges, read_ilsvrc_ids, read_titles
from .image_folder import by_path
from .imagenet_truth import GroundTruth
from .usual_names import find_usual

FORMS = (
    ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"),
    ("train", "val"),
    ("ILSVRC/Data/CLS-LOC",),
    ("imagenet",),
)
"""What is looked for below data_root, in this order."""
WNID = re.compile(r"n\d{8}")
CLASS_ARCHIVE = re.compile(r"n\d{8}\.tar")
TRAINING = re.compile(r"((n\d{8})_\d+)(?:_n\d{8})?(\.jpe?g)", re.IGNORECASE)
"""Names of training images; some copies of the set add the class once more."""
VALIDATION = re.compile(r"(ILSVRC2012_val_(\d{8}))(?:_(n\d{8}))?(\.jpe?g)", re.IGNORECASE)
"""Names of validation images; some copies of the set add the class."""
VALIDATION_FOLDERS = ("val", "validation", "ILSVRC2012_img_val")
SHOWN = 10
"""Classes named in the pack report."""


def find_imagenet(data_root: Path) -> list[Path]:
    """Return the archives or folders of ImageNet below data_root."""
    return find_usual("ImageNet", FORMS, data_root)


def is_class_archive(member: str) -> bool:
    """Tell whether a member is one of the tars in ILSVRC2012_img_train.tar, which hold one class each.

    >>> is_class_archive("n01440764.tar"), is_class_archive("train/others.tar")
    (True, False)
    """
    return CLASS_ARCHIVE.fullmatch(member.rpartition("/")[2]) is not None


class ImageNetLayout:
    """The layouts train/<wnid>/<file>, <wnid>.tar/<file>, val/<wnid>/<file> and flat validation images.

    The class of a training image is the folder that it lies in; an image without one is known by its name. The class of
    a flat validation image is told by a file of ground truth, which may come before or after it.

    Parameters
    ----------
    options : ImageNet
    data_root : path
        Folder that paths start from.

    Examples
    --------
    >>> layout = ImageNetLayout(ImageNet(kind="imagenet"), Path("data"))
    >>> layout.key(Path("ILSVRC2012_img_train.tar"), "n01440764/n01440764_18.JPEG")
    'train/n01440764/n01440764_18.JPEG'
    >>> layout.key(Path("ILSVRC2012_img_val.tar"), "ILSVRC2012_val_00000001.JPEG")
    'val/ILSVRC2012_val_00000001.JPEG'
    >>> layout.key(Path("ILSVRC/Data/CLS-LOC"), "test/ILSVRC2012_test_00000001.JPEG") is None
    True
    """

    def __init__(self, options: ImageNet, data_root: Path):
        self.edges = read_edges(IMAGENET)
        ids = read_ilsvrc_ids(IMAGENET)
        self.wnids = frozenset(ids.values())
        self.truth = GroundTruth(ids)
        self.kept = self._listed(data_root / options.classes) if options.classes else self.wnids
        if options.ground_truth:
            named = data_root / options.ground_truth
            self.truth.note(str(named), _content(named), named=True)
        else:
            for path in sorted(data_root.glob("*")) if data_root.is_dir() else ():
                if self.truth.reads(path.name) and path.is_file():
                    self.truth.note(str(path), _content(path))

    def key(self, path: Path, member: str) -> str | None:
        """Return `<split>/<wnid>/<file>`, without the wnid for a validation image whose class no folder tells."""
        *folders, name = [path.name, *member.split("/")]
        validation, training = VALIDATION.fullmatch(name), TRAINING.fullmatch(name)
        told = training[2] if training else validation[3] if validation else None
        folder = next((part for part in reversed(folders) if WNID.fullmatch(part)), told)
        if folder is None and validation is None:
            return None
        if training:
            name = training[1] + training[3]
        elif validation:
            name = validation[1] + validation[4]
        if folder is not None and folder not in self.wnids:
            raise InputError(
                f"{path}: {member}",
                f"{folder} is none of the 1,000 classes",
                "the WordNet ids of ILSVRC-2012",
                "use kind: image-folder for other images",
            )
        if told is not None and folder != told:
            raise InputError(
                f"{path}: {member}",
                f"lies in the folder of {folder}, and is called an image of {told}",
                "images in the folder of their class",
                "move it, or use kind: image-folder for images that were renamed or sorted anew",
            )
        split = "val" if validation or any(part in VALIDATION_FOLDERS for part in folders) else "train"
        if folder is None:
            assert validation is not None
            return self._flat(f"{path}: {member}", int(validation[2]), name)
        return f"{split}/{folder}/{name}" if folder in self.kept else None

    def reads(self, member: str) -> bool:
        """Tell whether a file has a usual name of ground truth."""
        return self.truth.reads(member)

    def note(self, member: str, content: bytes) -> None:
        """Take in a file of ground truth."""
        self.truth.note(member, content)

    def place(self, keys: list[str]) -> Placement:
        """Tell split and class by the keys and the ground truth."""
        placement = by_path([self._resolved(key) for key in keys], "train", "val")
        there = placement.classes["class"]
        titles = read_titles(IMAGENET)
        placement.titles = {wnid: titles[wnid] for wnid in there}
        placement.hierarchy = {"class": above(self.edges, there)}
        absent = sorted(self.kept - set(there))
        if absent:
            shown = ", ".join(absent[:SHOWN]) + (
                f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            )
            placement.warnings.append(
                f"{len(there)} of the {len(self.kept):,} classes have images; without are {shown}"
            )
        return placement

    def _flat(self, where: str, number: int, name: str) -> str | None:
        if len(self.kept) < len(self.wnids):
            if number not in self.truth.wnid_of:
                raise InputError(
                    where,
                    "its class must be known when it is read, since only some classes are kept",
                    "a file of ground truth below data_root, named in source.ground_truth",
                )
            if self.truth.wnid_of[number] not in self.kept:
                return None
        return f"val/{name}"

    def _resolved(self, key: str) -> str:
        parts = key.split("/")
        if len(parts) == 3:
            return key
        found = VALIDATION.fullmatch(parts[-1])
        assert found is not None
        return f"val/{self.truth.of(int(found[2]), key)}/{parts[-1]}"

    def _listed(self, path: Path) -> frozenset[str]:
        words = [
            line.split()[0] for line in _content(path).decode("utf-8", "replace").splitlines() if line.strip()
        ]
        strange = [word for word in words if word not in self.wnids]
        if strange or not words:
            raise InputError(
                path,
                f"holds {len(strange)} words that are none of the 1,000 classes ({', '.join(strange[:5])})"
                if strange
                else "is empty",
                "a WordNet id of ILSVRC-2012 at the start of each line, such as n01440764",
            )
        return frozenset(words)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(path, f"can't be read ({error.strerror})", "a file below data_root") from None
