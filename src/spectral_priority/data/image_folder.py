"""Images laid out as <split>/<class>/…/<file>, below any leading folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..config.image_sources import ImageFolder
from ..errors import InputError
from .batches import Placement
from .hierarchy import check_covers, read_edges


class ImageFolderLayout:
    """The layout of an image folder.

    A folder that itself has a split's name may be given as a path. Without a held-out split, and with no folder of the
    training split's name, the folder that an image lies in is its class.

    Parameters
    ----------
    options : ImageFolder
    data_root : path
        Folder that paths start from.

    Examples
    --------
    >>> layout = ImageFolderLayout(ImageFolder(kind="image-folder", paths=["birds.zip"]), Path("data"))
    >>> layout.key(Path("birds.zip"), "birds/train/crow/2019/a.jpg")
    'train/crow/2019/a.jpg'
    >>> layout.key(Path("birds.zip"), "birds/logo.png") is None
    True
    """

    def __init__(self, options: ImageFolder, data_root: Path):
        self.options, self.data_root = options, data_root
        self.splits = [options.train_split, *([options.held_out_split] if options.held_out_split else [])]
        self._folder_of: dict[tuple[Path, str], str] = {}
        self._kinds: dict[bool, str] = {}

    def key(self, path: Path, member: str) -> str | None:
        """Return `<split>/<class>/…/<file>`; None for an image outside the splits."""
        parts = member.split("/")
        if path.name in self.splits:
            parts.insert(0, path.name)
        start = next((i for i, part in enumerate(parts[:-1]) if part in self.splits), None)
        if start is not None:
            parts = parts[start:]
        elif self.options.held_out_split is None:
            parts = self._without_split(path, parts)
        else:
            return None
        if len(parts) < 3:
            raise InputError(
                f"{path}: {member}",
                "lies in no class folder",
                "<split>/<class>/…/<file>",
                "sort the images into one folder per class",
            )
        self._check_one_kind(start is not None, f"{path}: {member}")
        return "/".join(parts)

    def reads(self, member: str) -> bool:
        """No other file is read."""
        return False

    def note(self, member: str, content: bytes) -> None:
        """No other file is read."""

    def place(self, keys: list[str]) -> Placement:
        """Tell split and class by the keys."""
        placement = by_path(keys, self.options.train_split, self.options.held_out_split)
        if isinstance(self.options.hierarchy, str):
            path = self.data_root / self.options.hierarchy
            edges = read_edges(path)
            check_covers(edges, placement.classes["class"], path)
            placement.hierarchy = {"class": edges}
        elif self.options.hierarchy:
            edges = [(parent, child) for parent, some in self.options.hierarchy.items() for child in some]
            check_covers(edges, placement.classes["class"], "source.hierarchy")
            placement.hierarchy = {"class": edges}
        return placement

    def _without_split(self, path: Path, parts: list[str]) -> list[str]:
        if len(parts) < 2:
            return parts
        name, folder = parts[-2], "/".join(parts[:-1])
        first = self._folder_of.setdefault((path, name), folder)
        if first != folder:
            raise InputError(
                path,
                f"two folders are called {name}: {first} and {folder}",
                "one folder per class, or <split>/<class>/…/<file>",
            )
        return [self.options.train_split, name, parts[-1]]

    def _check_one_kind(self, in_split: bool, example: str) -> None:
        self._kinds.setdefault(in_split, example)
        if len(self._kinds) == 2:
            raise InputError(
                self._kinds[False],
                f"lies outside the folder {self.options.train_split}, others lie in it ({self._kinds[True]})",
                "all images in the split, or none",
                "name the other folder in held_out_split, or give only the training folder in paths",
            )


def by_path(keys: list[str], train_split: str, held_out_split: str | None) -> Placement:
    """Tell split and class of images named `<split>/<class>/…/<file>`; the classes are those of the training split.

    Raises
    ------
    InputError
        Where a split has no images, or the held-out split has a class that training doesn't have.

    Examples
    --------
    >>> placement = by_path(["val/b/1.png", "train/a/1.png", "train/b/2.png"], "train", "val")
    >>> placement.classes, placement.labels["class"].tolist(), placement.split.tolist()
    ({'class': ['a', 'b']}, [1, 0, 1], [1, 0, 0])
    """
    split = np.fromiter((key.partition("/")[0] != train_split for key in keys), np.uint8, len(keys))
    for value, folder in enumerate((train_split, held_out_split)):
        if folder is not None and not (split == value).any():
            raise InputError(
                "the images",
                f"none lies in a folder called {folder}",
                "<split>/<class>/…/<file>",
                "name the split's folder in train_split or held_out_split"
                + (" (null: held-out images come from training)" if value else ""),
            )
    seen: dict[str, int] = {}
    label = np.fromiter(
        (seen.setdefault(key.split("/", 2)[1], len(seen)) for key in keys), np.int32, len(keys)
    )
    training = set(label[split == 0].tolist())
    strange = sorted(name for name, number in seen.items() if number not in training)
    if strange:
        raise InputError(
            "the held-out images",
            f"{len(strange)} of their classes have no training images: {', '.join(strange[:5])}",
            "classes of the training split",
        )
    classes = sorted(seen)
    rank = np.empty(len(classes), dtype=np.int32)
    rank[[seen[name] for name in classes]] = np.arange(len(classes))
    return Placement(list(keys), split, {"class": rank[label]}, {"class": classes})
