"""Tiny-ImageNet-200 in any of its forms: archives per split, the official zip, or folders unpacked from either."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ..errors import InputError
from .batches import Placement
from .hierarchy import TINY_IMAGENET, leaves, read_edges, read_titles
from .image_folder import by_path
from .usual_names import find_usual

FORMS = (
    ("tiny-imagenet-200.zip",),
    ("tiny-imagenet-200",),
    ("tiny-imagenet-200-train.tar.xz", "tiny-imagenet-200-val.tar.xz"),
    ("train", "val"),
)
"""What is looked for below data_root, in this order."""
ANNOTATIONS = "val_annotations.txt"


def find_tiny_imagenet(data_root: Path) -> list[Path]:
    """Return the archives or folders of Tiny-ImageNet below data_root."""
    return find_usual("Tiny-ImageNet", FORMS, data_root)


class TinyImageNetLayout:
    """The layouts train/<wnid>/[images/]<file>, val/<wnid>/<file> and val/images/<file> with val_annotations.txt.

    Examples
    --------
    >>> layout = TinyImageNetLayout()
    >>> zipped = Path("tiny-imagenet-200.zip")
    >>> layout.key(zipped, "tiny-imagenet-200/train/n02124075/images/n02124075_0.JPEG")
    'train/n02124075/n02124075_0.JPEG'
    >>> layout.key(zipped, "tiny-imagenet-200/test/images/test_0.JPEG") is None
    True
    """

    def __init__(self) -> None:
        self.edges = read_edges(TINY_IMAGENET)
        self.wnids = leaves(self.edges)
        self._class_of: dict[str, str] = {}

    def key(self, path: Path, member: str) -> str | None:
        """Return `<split>/<wnid>/<file>`, with `images` for a class that only val_annotations.txt tells."""
        parts = member.split("/")
        if path.name in ("train", "val"):
            parts.insert(0, path.name)
        for start, part in enumerate(parts):
            if part in ("train", "val") and len(parts) >= start + 3:
                name = parts[start + 1]
                if name not in self.wnids and (part, name) != ("val", "images"):
                    raise InputError(
                        f"{path}: {member}",
                        f"folder {name!r} is none of the 200 classes",
                        "the WordNet ids of Tiny-ImageNet-200",
                        "use kind: image-folder for other images",
                    )
                return f"{part}/{name}/{parts[-1]}"
        return None

    def reads(self, member: str) -> bool:
        """Tell whether a file is val_annotations.txt."""
        return PurePosixPath(member).name == ANNOTATIONS

    def note(self, member: str, content: bytes) -> None:
        """Take in val_annotations.txt: file, wnid and box, separated by tabs."""
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            fields = line.split("\t")
            if len(fields) < 2 or fields[1] not in self.wnids:
                raise InputError(
                    f"{member}, line {number}", f"found {line[:60]!r}", "<file> tab <wnid> tab …"
                )
            self._class_of[fields[0]] = fields[1]

    def place(self, keys: list[str]) -> Placement:
        """Tell split and class by the keys and val_annotations.txt."""
        placement = by_path([self._resolved(key) for key in keys], "train", "val")
        placement.titles = read_titles(TINY_IMAGENET)  # also of superclasses
        placement.hierarchy = {"class": self.edges}
        return placement

    def _resolved(self, key: str) -> str:
        split, name, file = key.split("/")
        if name != "images":
            return key
        if file not in self._class_of:
            raise InputError(
                key,
                "its class is not known" + ("" if self._class_of else f": {ANNOTATIONS} was not found"),
                f"a line for every image of val/images in {ANNOTATIONS}",
            )
        return f"{split}/{self._class_of[file]}/{file}"
