"""Small grey copies of images, by which near-duplicates are told."""

from __future__ import annotations

import numpy as np

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


def thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Average images over 16 × 16 areas and take their means away.

    Parameters
    ----------
    pixels : ndarray (n, N, N, channel) uint8

    Returns
    -------
    ndarray (n, 256) float16
        In grey levels of 0 … 255: half a kilobyte of each image.

    Examples
    --------
    >>> thumbnails(np.full((1, 32, 32, 1), 90, dtype=np.uint8)).any()
    np.False_
    """
    weights = area_means(pixels.shape[1], SIDE)
    means = (weights @ grey(pixels) @ weights.T).reshape(len(pixels), -1)
    return (means - means.mean(axis=1, keepdims=True)).astype(np.float16)
