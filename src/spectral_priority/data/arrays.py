"""Images and labels that a measure of the data is given from Python: checked, and brought to one layout. NumPy only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import fourier
from ..errors import InputError

LAYOUT = "uint8 (n, N, N, channel) or floating-point (n, channel, N, N)"
"""The two forms of images, as everywhere in the package."""


class Arrays(NamedTuple):
    """What was given: pixels (n, y, x, channel), the number that a pixel of full brightness has, labels (n,) int64."""

    pixels: np.ndarray
    full: float
    labels: np.ndarray


def as_arrays(images: Any, labels: Any) -> Arrays:
    """Check images and labels; arrays, tensors, and anything that NumPy makes an array of.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], and labels that are no whole numbers
        from 0 on or don't fit the images.

    Examples
    --------
    >>> as_arrays(np.zeros((2, 3, 8, 8)), [0, 1]).pixels.shape
    (2, 8, 8, 3)
    """
    images, labels = _array(images), _array(labels)
    packed = images.dtype == np.uint8
    if images.ndim != 4 or not images.size:
        raise InputError("images", f"found shape {images.shape}", LAYOUT)
    if not packed and images.dtype.kind != "f":
        raise InputError("images", f"found {images.dtype}", LAYOUT)
    side = images.shape[1:3] if packed else images.shape[2:]
    try:
        fourier.check_square(side)
    except ValueError:
        raise InputError(
            "images",
            f"found {images.dtype} of shape {images.shape}: {side[0]}×{side[1]} pixels",
            f"square images of at least 4×4 pixels, {LAYOUT}",
            "crop or resize them first",
        ) from None
    if not packed and not ((images >= 0) & (images <= 1)).all():
        found = "NaN" if np.isnan(images).any() else f"values from {images.min():.3g} to {images.max():.3g}"
        raise InputError("images", f"found {found}", "pixels in [0, 1]")
    if labels.shape != images.shape[:1]:
        raise InputError("labels", f"found shape {labels.shape}", f"one label per image, ({len(images)},)")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError("labels", f"found {labels.dtype}, from {labels.min()}", "whole numbers from 0 on")
    pixels = images if packed else np.moveaxis(images, 1, -1)
    return Arrays(pixels, 255.0 if packed else 1.0, labels.astype(np.int64))


def _array(given: Any) -> np.ndarray:
    return np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
