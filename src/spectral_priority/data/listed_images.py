"""Image files that a table lists: a listed file that is not there counts as one that can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .batches import Batch
from .image_files import ImageFiles
from .image_table import ImageTable


class ListedImages(ImageFiles):
    """Source of the images that a table lists, in folders and archives.

    Parameters
    ----------
    table : ImageTable
        The layout's.
    **options
        Parameters of `ImageFiles`.
    """

    def __init__(self, table: ImageTable, **options: Any):
        super().__init__(**options)
        self.table = table

    def batches(self) -> Iterator[Batch]:
        """Read and decode all images once; listed files that are not there end up in `unreadable`, too."""
        yield from super().batches()
        self.unreadable += self.table.missing()

    def expected(self) -> str:
        """Say what is looked for."""
        return "files that the table lists"

    def outside(self, path: Path, member: str) -> str:
        """Say why an image is none of the data set."""
        return "image left out" if self.table.leaves_out(path, member) else "image not listed"
