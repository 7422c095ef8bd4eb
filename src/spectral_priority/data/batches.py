"""What every source of images hands over: batches of pixels with facts, and at the end where each image belongs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


@dataclass
class Batch:
    """Some images as they arrive.

    Attributes
    ----------
    key : list of str
        The source's own name of each image.
    pixels : ndarray (n, y, x, channel) uint8
    mode : list of str
        Colour mode of the file (`RGB`, `L`, …).
    quality : list of int
        Quality of the JPEG encoder, −1 where unknown.
    height, width : list of int
        Original size.
    content : list of bytes
        The files' own bytes, where they are asked for.
    """

    key: list[str]
    pixels: np.ndarray
    mode: list[str]
    quality: list[int]
    height: list[int]
    width: list[int]
    content: list[bytes] = field(default_factory=list)


@dataclass
class Placement:
    """Where images belong, in the order of the keys asked for.

    Attributes
    ----------
    source : list of str
        Name of each image, unique, the same whatever the images were read from.
    split : ndarray (n,) uint8
        0 = train, 1 = held out.
    labels : dict of ndarray (n,) int32
        Class numbers by label column.
    classes : dict of list of str
        Class names by label column.
    titles : dict of str
        What people call a class, by its name.
    hierarchy : dict of list of (parent, child)
        Is-a edges by label column, where there are any.
    group : list of str
        What each image belongs to besides its class, such as a patient: images of one group never come to lie in two
        parts of a tier. An empty name: unknown. An empty list: the data set has no groups.
    notes : list of str
        What was done to the data set that a reader of the pack report must know.
    """

    source: list[str]
    split: np.ndarray
    labels: dict[str, np.ndarray]
    classes: dict[str, list[str]]
    titles: dict[str, str] = field(default_factory=dict)
    hierarchy: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    group: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """A generator of images, or a reader of image files.

    Attributes
    ----------
    total : int or None
        Number of images, where it is known beforehand.
    unreadable : list of dict
        `source` and `reason` of every image that could not be read so far.
    ignored : dict of int
        Files that are no images of the data set, counted by kind.
    """

    total: int | None
    unreadable: list[dict[str, str]]
    ignored: dict[str, int]

    def batches(self) -> Iterator[Batch]:
        """Go through all images once."""

    def place(self, keys: list[str]) -> Placement:
        """Tell where images belong; asked once, after the last batch."""
