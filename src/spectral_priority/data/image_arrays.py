"""Images that come as arrays of pixels, not as files: fitted to the pack's size by several threads in their order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Protocol

import numpy as np

from .batches import Batch, Placement
from .decode import from_pixels
from .image_files import ordered
from .resampling import Resampling

BLOCK_BYTES = 8 << 20
"""Memory of the pixels that a thread fits at a time, as they come or as they become."""
Block = tuple[list[str], np.ndarray]
"""Names of images, and their pixels (n, y, x, channel) uint8."""


class ArrayReader(Protocol):
    """A reader of files that hold many images each."""

    total: int | None

    def blocks(self) -> Iterator[Block]:
        """Go through all images once, any number at a time."""

    def place(self, keys: list[str]) -> Placement:
        """Tell where images belong, once everything was read."""


class ImageArrays:
    """Source of images that come as arrays of 8-bit pixels.

    Parameters
    ----------
    reader : ArrayReader
    size, channels, max_pixels, resampling
        As `decode.from_pixels` takes them.
    threads : int
        Threads that fit images, beside the one that reads.
    """

    def __init__(
        self,
        reader: ArrayReader,
        size: int,
        channels: int,
        max_pixels: int,
        threads: int,
        resampling: Resampling,
    ):
        self.reader, self.size, self.threads = reader, size, threads
        self.total = reader.total
        self.unreadable: list[dict[str, str]] = []
        self.ignored: dict[str, int] = {}
        self._made = size**2 * channels
        self._fit = partial(
            _fitted, size=size, channels=channels, max_pixels=max_pixels, resampling=resampling
        )

    def batches(self) -> Iterator[Batch]:
        """Read and fit all images once."""
        yield from ordered(self._fit, self._parts(), self.threads)

    def place(self, keys: list[str]) -> Placement:
        """Tell where images belong."""
        return self.reader.place(keys)

    def _parts(self) -> Iterator[Block]:
        for keys, pixels in self.reader.blocks():
            most = max(1, BLOCK_BYTES // max(self._made, pixels[:1].nbytes, 1))
            for start in range(0, len(keys), most):
                yield keys[start : start + most], pixels[start : start + most]


def _fitted(block: Block, size: int, channels: int, max_pixels: int, resampling: Resampling) -> Batch:
    keys, pixels = block
    count, height, width, found = pixels.shape
    made = np.empty((count, size, size, channels), dtype=np.uint8)
    for image, out in zip(pixels, made, strict=True):
        out[:] = from_pixels(image, size, channels, max_pixels, resampling)
    mode = "RGB" if found == 3 else "L"
    return Batch(keys, made, [mode] * count, [-1] * count, [height] * count, [width] * count)
