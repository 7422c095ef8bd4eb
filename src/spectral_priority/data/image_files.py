"""Image files as a source: read as a stream from folders and archives, decoded by several threads in their order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from ..config.medical import MedicalFiles
from ..errors import InputError
from .batches import Batch, Placement
from .decode_group import decode_file, decode_group
from .files import enter_none, read_files
from .medical_files import SUFFIXES as MEDICAL
from .medical_files import Belonging, is_medical
from .resampling import Resampling

Item, Result = TypeVar("Item"), TypeVar("Result")

SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".png",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".jp2",
        ".pgm",
        ".ppm",
        ".pnm",
    )
)
"""Files that are taken for images; all others are counted and left out."""
GROUP = 32
"""Files that a thread decodes at a time, at most."""
GROUP_BYTES = 8 << 20
"""Bytes of these files, and of their pixels, from which on no further file is added."""


class Layout(Protocol):
    """How the paths of a data set's files tell splits and classes."""

    def key(self, path: Path, member: str) -> str | None:
        """Return the name of an image, from the folder or archive it lies in and its path there; None: not ours."""

    def reads(self, member: str) -> bool:
        """Tell whether a file is one that `note` wants."""

    def note(self, member: str, content: bytes) -> None:
        """Take in a file that tells something about images."""

    def place(self, keys: list[str]) -> Placement:
        """Tell where images belong, once everything was read."""


class ImageFiles:
    """Source of images in folders and archives.

    Parameters
    ----------
    paths : sequence of path
        Folders and archives, read one after the other.
    layout : Layout
    size, channels, max_pixels : int
        As `decode` takes them.
    threads : int
        Threads that decode, beside the one that reads.
    kept : bool
        Whether batches hold the files' own bytes too.
    resampling : Resampling, optional
        As `decode` takes it.
    medical : MedicalFiles, optional
        What is taken of DICOM and NIfTI files; none: they are no images of the data set.
    enters : callable
        As `read_files` takes it: which archives inside the archives are read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        layout: Layout,
        size: int,
        channels: int,
        max_pixels: int,
        threads: int,
        kept: bool = False,
        resampling: Resampling | None = None,
        medical: MedicalFiles | None = None,
        enters: Callable[[str], bool] = enter_none,
    ):
        self.paths, self.layout, self.threads, self.enters = list(paths), layout, threads, enters
        self.total: int | None = None
        self.unreadable: list[dict[str, str]] = []
        self._ignored: Counter[str] = Counter()
        self._most = max(1, min(GROUP, GROUP_BYTES // (size**2 * channels)))
        self._suffixes = SUFFIXES | (MEDICAL if medical else frozenset())
        self._belonging = Belonging()
        how = {
            "size": size,
            "channels": channels,
            "max_pixels": max_pixels,
            "resampling": resampling or Resampling(),
        }
        self._decode = partial(
            decode_group, partial(decode_file, how=how, medical=medical, kept=kept), kept=kept
        )

    @property
    def ignored(self) -> dict[str, int]:
        """Files that are no images of the data set, counted by kind."""
        return dict(sorted(self._ignored.items()))

    def batches(self) -> Iterator[Batch]:
        """Read and decode all images once; those that can't be read are listed in `unreadable`."""
        for batch, unreadable, belonging in ordered(
            self._decode, _groups(self._files(), self._most), self.threads
        ):
            self.unreadable += unreadable
            self._belonging.update(belonging)
            if batch.key:
                yield batch

    def place(self, keys: list[str]) -> Placement:
        """Tell where images belong."""
        if not keys and not self.unreadable:
            found = ", ".join(f"{count} × {kind}" for kind, count in self.ignored.items()) or "nothing at all"
            raise InputError(
                ", ".join(str(path) for path in self.paths),
                f"no images of the data set; found {found}",
                self.expected(),
            )
        if not self._belonging:
            return self.layout.place(keys)
        return self._belonging.complete(self.layout.place(self._belonging.file_of(keys)), keys)

    def expected(self) -> str:
        """Say what is looked for."""
        return f"files named {' '.join(sorted(self._suffixes))} in <split>/<class>/"

    def outside(self, path: Path, member: str) -> str:
        """Say why an image is none of the data set, which it is counted by."""
        return "image outside the splits"

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for path in self.paths:
            for member, content in read_files(path, partial(self._wanted, path), self.enters):
                if self.layout.reads(member):
                    self.layout.note(member, content)
                    continue
                key = self.layout.key(path, member)
                assert key is not None
                yield key, content

    def _wanted(self, path: Path, member: str) -> bool:
        parts, suffix = member.split("/"), _suffix(member)
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            self._ignored["hidden"] += 1
        elif self.layout.reads(member):
            return True
        elif suffix not in self._suffixes:
            self._ignored[suffix or "no suffix"] += 1
        elif self.layout.key(path, member) is None:
            self._ignored[self.outside(path, member)] += 1
        else:
            return True
        return False


def ordered(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Apply a function in threads; results come in the order of the items, of which few are held at a time.

    >>> list(ordered(abs, [-1, -2, -3], threads=2))
    [1, 2, 3]
    """
    items = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque(pool.submit(function, item) for item in islice(items, 2 * threads))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(function, item) for item in islice(items, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _groups(files: Iterable[tuple[str, bytes]], most: int) -> Iterator[list[tuple[str, bytes]]]:
    """Gather files, few enough that a group's memory is bounded by `GROUP_BYTES` or the images of one file."""
    group: list[tuple[str, bytes]] = []
    held = 0
    for key, content in files:
        if is_medical(content):  # of one file may come many images
            if group:
                yield group
                group, held = [], 0
            yield [(key, content)]
            continue
        group.append((key, content))
        held += len(content)
        if len(group) == most or held >= GROUP_BYTES:
            yield group
            group, held = [], 0
    if group:
        yield group


def _suffix(member: str) -> str:
    """Return the suffix that tells what a file is.

    >>> _suffix("train/a/1.JPG"), _suffix("train/a/1.nii.gz")
    ('.jpg', '.nii.gz')
    """
    suffixes = [suffix.lower() for suffix in Path(member).suffixes[-2:]]
    return ".nii.gz" if suffixes == [".nii", ".gz"] else "".join(suffixes[-1:])
