"""STL-10 (Coates et al. 2011): 96 × 96 RGB images in binary files; the unlabelled ones are left out.

A record is red, green and blue plane, each column by column. Labels are bytes 1 … 10 in a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from ...errors import InputError
from ..files import open_files
from ..image_arrays import Block
from ..records import numbered, records
from .find import STL10_FILES
from .labelled import LabelledImages

SIDE = 96


def read_stl10(path: Path, images: LabelledImages) -> Iterator[Block]:
    """Read the labelled images of an archive or a folder.

    Parameters
    ----------
    path : path
    images : LabelledImages
        Gets the labels.

    Raises
    ------
    InputError
        For a file that is missing or damaged.
    """
    seen = set()
    for member, file in open_files(path, lambda member: PurePosixPath(member).name in STL10_FILES):
        name, where = PurePosixPath(member).name, f"{path}: {member}"
        seen.add(name)
        part = name.partition("_")[0]
        if name.endswith("_y.bin"):
            labels = np.frombuffer(file.read(), dtype=np.uint8).astype(np.int64) - 1
            images.note(part, "class", labels, where)
            continue
        start = 0
        for block in records(file, 3 * SIDE**2, where):
            # (image, channel, column, row) in the file
            upright = block.reshape(-1, 3, SIDE, SIDE).transpose(0, 3, 2, 1)
            yield numbered(part, start, len(block)), upright
            start += len(block)
    missing = [name for name in STL10_FILES if name not in seen]
    if missing:
        raise InputError(path, f"has no {', '.join(missing)}", ", ".join(STL10_FILES), "get it again")
