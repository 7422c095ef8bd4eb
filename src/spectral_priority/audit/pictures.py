"""Contact sheets: images of a data set side by side, as one PNG in a data address."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..data.images import PackedImages

SIDE = 64
"""Side of an image on a sheet in pixels: small ones are enlarged by whole factors, large ones reduced."""
GAP = 4
"""White pixels between images."""


def sheet(images: PackedImages, rows: Sequence[Sequence[int]]) -> str:
    """Return a contact sheet as a data address.

    Parameters
    ----------
    images : PackedImages
    rows : sequence of sequences of int
        Places of the images, row by row; rows may differ in length.

    Returns
    -------
    str
        `data:image/png;base64,…`
    """
    columns = max((len(row) for row in rows), default=0)
    whole = np.full((len(rows) * (SIDE + GAP) + GAP, columns * (SIDE + GAP) + GAP, 3), 255, dtype=np.uint8)
    for down, row in enumerate(rows):
        for across, number in enumerate(row):
            top, left = (GAP + place * (SIDE + GAP) for place in (down, across))
            whole[top : top + SIDE, left : left + SIDE] = _tile(images.read(np.array([number]))[0])
    file = io.BytesIO()
    Image.fromarray(whole).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _tile(pixels: np.ndarray) -> np.ndarray:
    image = Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy())
    # Enlarged pixels stay squares, so that nobody takes an interpolation for the image.
    kind = Image.Resampling.BOX if image.width > SIDE else Image.Resampling.NEAREST
    return np.asarray(image.resize((SIDE, SIDE), kind))
