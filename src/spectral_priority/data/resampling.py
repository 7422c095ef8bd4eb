"""From an image of any size to a square of the pack's size: which part is taken, and by which filter.

It is the same for every image of a data set, whatever its class, format or size; `Resampling.words` says it in the
pack. Every filter is Pillow's, which widens it with the reduction: it is anti-aliased. JPEG's own fast downscaling is
not used, for it has another frequency response.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageStat

FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "box": Image.Resampling.BOX,
}
MADE_AT_SIZE = "none: images are made at the pack's size"
"""What is said of generators."""


@dataclass(frozen=True)
class Resampling:
    """How images become squares of one size.

    Parameters
    ----------
    crop : str
        `centre`: the middle of the image; `stretch`: all of it, each side scaled by itself; `pad`: all of it, with
        margins of its mean colour.
    share : float
        Share of the shorter side that `centre` takes.
    filter : str
        Name of a filter in `FILTERS`.

    Examples
    --------
    >>> Resampling().apply(Image.new("L", (40, 30)), 8).size
    (8, 8)
    >>> Resampling(share=0.875, filter="bicubic").words
    'centre crop of 0.875 of the shorter side, then Pillow bicubic, both in one step'
    """

    crop: str = "centre"
    share: float = 1.0
    filter: str = "lanczos"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Resampling:
        """Take it from the options of a data set; packs of older versions know none."""
        return cls(
            options.get("crop", cls.crop),
            float(options.get("crop_share", cls.share)),
            options.get("filter", cls.filter),
        )

    @property
    def words(self) -> str:
        """What is done, in words."""
        by = f"Pillow {self.filter if self.filter != 'lanczos' else 'Lanczos'}"
        if self.crop == "centre" and self.share < 1:
            return f"centre crop of {self.share:g} of the shorter side, then {by}, both in one step"
        what = {
            "centre": f"centre crop to a square, then {by}",
            "stretch": f"the whole image, each side scaled by itself, by {by}",
            "pad": f"the whole image in a square filled with its mean colour, then {by}",
        }[self.crop]
        return f"{what}; images of the right size are left as they are"

    def apply(self, image: Image.Image, size: int) -> Image.Image:
        """Return a square of side `size` of an 8-bit image (`L` or `RGB`)."""
        whole = self.crop != "centre" or self.share == 1
        if whole and image.size == (size, size):
            return image
        if self.crop == "pad":
            return self._padded(image, size)
        width, height = image.size
        side = min(width, height)
        if self.crop == "centre" and self.share < 1:
            # In the coordinates of the image, where a crop needn't end between two pixels; the filter sees what lies
            # beside it, as if all of the image were resampled and then cropped.
            side *= self.share
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            return image.resize((size, size), FILTERS[self.filter], box=box)
        if self.crop == "centre":
            left, top = (width - side) // 2, (height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        return image.resize((size, size), FILTERS[self.filter])

    def enlarges(self, height: np.ndarray, width: np.ndarray, size: int) -> np.ndarray:
        """Tell of images of some heights and widths whether fewer pixels than `size` are taken of a side."""
        if self.crop == "pad":
            return np.maximum(height, width) < size
        return np.minimum(height, width) * (self.share if self.crop == "centre" else 1) < size

    def most_pixels(self, height: int, width: int, size: int) -> int:
        """Return how many pixels an image has at most on the way."""
        return max(height * width, max(height, width) * size if self.crop == "pad" else 0)

    def _padded(self, image: Image.Image, size: int) -> Image.Image:
        """Pad in the image's own pixels, so that the filter smooths the edge of the margin too.

        The longer side is resampled first: as a square the image might not fit into memory.
        """
        mean = tuple(round(value) for value in ImageStat.Stat(image).mean)
        fill = mean if len(mean) > 1 else mean[0]
        width, height = image.size
        if width >= height:
            image, place, canvas = (
                self._resized(image, size, height),
                (0, (width - height) // 2),
                (size, width),
            )
        else:
            image, place, canvas = (
                self._resized(image, width, size),
                ((height - width) // 2, 0),
                (height, size),
            )
        padded = Image.new(image.mode, canvas, fill)
        padded.paste(image, place)
        return self._resized(padded, size, size)

    def _resized(self, image: Image.Image, width: int, height: int) -> Image.Image:
        return image.resize((width, height), FILTERS[self.filter])
