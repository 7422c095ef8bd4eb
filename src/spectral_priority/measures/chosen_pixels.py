"""Some of the images of a pack, as measures index an array of them: only what is asked for is read and copied."""

from __future__ import annotations

import numpy as np


class ChosenPixels:
    """Mapped images at an index, not yet read.

    Parameters
    ----------
    pixels : ndarray (sample, y, x, channel) uint8
        All images of a pack, mapped (`PackedImages.pixels`).
    index : ndarray (n,)
        Which of them, in this order.

    Examples
    --------
    >>> chosen = ChosenPixels(np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1), np.array([4, 0, 2]))
    >>> chosen.shape, chosen[1:].ravel().tolist(), chosen[0].tolist()
    ((3, 1, 1, 1), [0, 2], [[[4]]])
    """

    def __init__(self, pixels: np.ndarray, index: np.ndarray):
        self.pixels, self.index = pixels, np.asarray(index)
        self.shape, self.dtype, self.ndim = (len(index), *pixels.shape[1:]), pixels.dtype, pixels.ndim

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Return one image, or the images of a slice or an index, copied."""
        places = self.index[key]
        found = np.asarray(self.pixels[np.atleast_1d(places)])
        return found if places.ndim else found[0]

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """Return all of them."""
        return self[:].astype(dtype or self.dtype, copy=False)
