"""Small grey copies of images, by which near-duplicates are told."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .images import BLOCK_BYTES, PackedImages

SIDE = 16
"""Side of a thumbnail in pixels."""
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""ITU-R 601."""


def grey(pixels: np.ndarray) -> np.ndarray:
    """Return images as luma in 0 … 255.

    Parameters
    ----------
    pixels : ndarray (n, y, x, channel) uint8

    Returns
    -------
    ndarray (n, y, x) float32

    Examples
    --------
    >>> grey(np.full((1, 1, 1, 3), 200, dtype=np.uint8)).tolist()
    [[[200.0]]]
    """
    values = pixels.astype(np.float32)
    return values[..., 0] if pixels.shape[-1] == 1 else values @ LUMA


def area_means(size: int, side: int) -> np.ndarray:
    """Return the weights (side, size) with which a row of pixels is averaged over `side` equal pieces of its length.

    >>> area_means(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    edges = np.linspace(0, size, side + 1)
    first, last = edges[:-1, None], edges[1:, None]
    pixel = np.arange(size)
    covered = np.clip(np.minimum(last, pixel + 1) - np.maximum(first, pixel), 0, None)
    return (covered * side / size).astype(np.float32)


def thumbnails(images: PackedImages, progress: Callable[[int], object] = lambda images: None) -> np.ndarray:
    """Average every image over 16 × 16 areas and take its mean away.

    Parameters
    ----------
    images : PackedImages
    progress : callable
        Told how many images were just read.

    Returns
    -------
    ndarray (sample, 256) float16
        In grey levels of 0 … 255: half a kilobyte of each image stays in memory.
    """
    weights = area_means(images.size, SIDE)
    small = np.empty((len(images), SIDE * SIDE), dtype=np.float16)
    step = max(1, BLOCK_BYTES // int(np.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        index = np.arange(start, min(start + step, len(images)))
        means = (weights @ grey(images.read(index)) @ weights.T).reshape(len(index), -1)
        small[index] = means - means.mean(axis=1, keepdims=True)
        progress(len(index))
    return small
