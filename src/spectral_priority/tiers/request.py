"""One tier that is asked for, and its images once its classes are known: clusters whole, or a clear refusal."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..data.images import PackedImages
from ..data.together import Together, contradicting
from .refusals import check_split
from .split import Split, split_images
from .supply import totals


class Request(NamedTuple):
    """One tier that is asked for: from which images, by which options, and what is known of classes and images."""

    images: PackedImages
    options: Any
    family: str
    level: str
    draw: int
    similarity: np.ndarray | None
    together: Together | None


def images_of_classes(
    asked: Request, members: np.ndarray, *key: object, probe: np.ndarray | None = None
) -> tuple[Split, int]:
    """Choose images of some classes, evenly over the classes; those of the probe from classes of its own, if any.

    Parameters
    ----------
    asked : Request
    members : ndarray (class,) int
        The classes.
    *key
        What the choice depends on besides the seed.
    probe : ndarray (class,) int, optional
        As many classes, which the probe shows.

    Returns
    -------
    split : Split
    contradicting : int
        Images left out since the tier has their very pixels under another class, too.
    """
    names = asked.images.classes[asked.options.label]
    label = asked.images.labels(asked.options.label)
    cells = []
    for those in (members, members if probe is None else probe):
        cell_of = np.full(len(names), -1, dtype=np.int64)
        cell_of[those] = np.arange(len(those))
        cells.append(cell_of[label])
    cells = {"train": cells[0], "validation": cells[0], "probe": cells[1]}
    called = {part: [names[one] for one in members] for part in cells}
    if probe is not None:
        called["probe"] = [names[one] for one in probe]
    return images_of_cells(asked, cells, called, *key)


def images_of_cells(
    asked: Request, cells: dict[str, np.ndarray], names: dict[str, list[str]], *key: object, even: bool = True
) -> tuple[Split, int]:
    """Choose images of some cells, clusters whole; refuse parts that can't be filled.

    Parameters
    ----------
    asked : Request
    cells : dict of ndarray (sample,) int
        By part: the cell of every image of the data set; −1: not in this tier.
    names : dict of list of str
        By part: what to call the cells.
    *key
        What the choice depends on besides the seed.
    even : bool
        Refuse parts that have more images of one cell than of another.

    Returns
    -------
    split : Split
    contradicting : int
        Images left out since the tier has their very pixels in another cell, too.
    """
    options, together = asked.options, asked.together
    number, dropped = len(names["train"]), 0
    if together is not None:
        own, probe = cells["train"], cells["probe"]
        shown = np.where(own >= 0, own, np.where(probe >= 0, probe + number, -1))
        wrong = contradicting(together.picture, shown)
        dropped = int(wrong.sum())
        cells = {part: np.where(wrong, -1, cell) for part, cell in cells.items()}
    wanted = totals(number, options.images)
    split = split_images(
        cells["train"],
        asked.images.split,
        wanted,
        options.seed,
        *key,
        probe_cell=cells["probe"],
        cluster=None if together is None else together.cluster,
    )
    check_split(split, cells, wanted, names, asked.family, even)
    return split, dropped
