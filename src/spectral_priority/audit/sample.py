"""Some images of a data set, seen once: power by ring and direction, traces along rows and columns."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..data.images import BLOCK_BYTES, HELD_OUT, TRAIN, PackedImages
from ..data.thumbnails import grey
from ..fourier import half_plane_power, hermitian_weights, ring_of, rings

DIRECTIONS = 4
"""Sectors of 45° that the power of a ring is told apart by: jumps at the edges of images lie on the axes."""
QUALITY = 75
"""JPEG quality to which all images are encoded again."""
SHARE_TO_TEST = 0.2
"""Share of the training images that classifiers are tested on where nothing is held out."""


@dataclass(frozen=True)
class Sample:
    """Images to learn from and to test on.

    Attributes
    ----------
    train, test : ndarray of int64
        Places in images.h5, ascending; no image of one shows the same as an image of the other, or belongs to the same
        group.
    """

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Seen:
    """What was seen of some images.

    Attributes
    ----------
    index : ndarray (n,)
        Their places in images.h5.
    power : ndarray (n, ring, direction) float32
        Power of the luma in [0, 1] in every kept ring, by direction.
    colour : ndarray (n, ring) float32 or None
        Power of the chroma (Cb and Cr of ITU-R 601 together); None for grey images.
    bends : ndarray (n, 2, 2, N − 2) float32
        Mean size of the first and the second difference, across rows and across columns, at every place; an image's own
        mean is 1, or 0 where it has none.
    """

    index: np.ndarray
    power: np.ndarray
    colour: np.ndarray | None
    bends: np.ndarray

    @property
    def size(self) -> int:
        """Side of the images."""
        return self.bends.shape[3] + 2


def choose_sample(images: PackedImages, belonging: np.ndarray, number: int, seed: int) -> Sample:
    """Choose images at random, at most `number` to learn from and half as many to test on.

    Parameters
    ----------
    images : PackedImages
    belonging : ndarray (sample,) int
        Images with the same number show the same or belong together: of these, all lie on one side.
    number, seed : int

    Returns
    -------
    Sample
    """
    random = np.random.default_rng([seed, 8])
    train, held_out = (np.flatnonzero(images.split == split) for split in (TRAIN, HELD_OUT))
    if len(held_out):
        test = held_out[~np.isin(belonging[held_out], belonging[train])]
    else:
        lots = np.random.default_rng([seed, 9]).random(int(belonging.max(initial=0)) + 1)[belonging[train]]
        test, train = train[lots < SHARE_TO_TEST], train[lots >= SHARE_TO_TEST]
    return Sample(
        np.sort(random.permutation(train)[:number]), np.sort(random.permutation(test)[: max(1, number // 2)])
    )


def see(
    images: PackedImages,
    index: np.ndarray,
    recode: bool = False,
    progress: Callable[[int], object] = lambda images: None,
) -> Seen:
    """Look at images once.

    Parameters
    ----------
    images : PackedImages
    index : ndarray (n,)
        Which.
    recode : bool
        Encode them as JPEG of quality 75 first, and decode them again.
    progress : callable
        Told how many images were just seen.
    """
    sectors = _sectors(images.size)
    count, size = len(rings(images.size)), images.size
    power = np.empty((len(index), count, DIRECTIONS), dtype=np.float32)
    colour = np.empty((len(index), count), dtype=np.float32) if images.channels == 3 else None
    bends = np.zeros((len(index), 2, 2, size - 2), dtype=np.float32)
    step = max(1, BLOCK_BYTES // int(np.prod(images.shape[1:])))
    for start in range(0, len(index), step):
        part = slice(start, start + step)
        pixels = images.read(index[part])
        if recode:
            pixels = np.stack([_recoded(image) for image in pixels])
        luma = grey(pixels)
        spectrum = half_plane_power(luma.astype(np.float64) / 255).reshape(len(luma), -1)
        power[part] = (spectrum @ sectors).reshape(len(luma), count, DIRECTIONS)
        if colour is not None:
            colour[part] = _chroma_power(pixels, luma) @ sectors.reshape(len(sectors), count, -1).sum(axis=2)
        for order in (1, 2):
            for axis in (1, 2):
                bend = np.abs(np.diff(luma, order, axis=axis)).mean(axis=3 - axis)[:, : size - 2]
                mean = bend.mean(axis=1, keepdims=True)
                bends[part, order - 1, axis - 1] = np.divide(
                    bend, mean, out=np.zeros_like(bend), where=mean > 0
                )
        progress(len(pixels))
    return Seen(index, power, colour, bends)


def frequencies(size: int) -> np.ndarray:
    """Return how many frequencies of the full plane lie in each kept ring and direction, (ring, direction).

    >>> int(frequencies(8)[0].sum())
    8
    """
    return _sectors(size).sum(axis=0).reshape(-1, DIRECTIONS)


def _chroma_power(pixels: np.ndarray, luma: np.ndarray) -> np.ndarray:
    total = 0.0
    for channel, scale in ((2, 1.772), (0, 1.402)):
        total = total + half_plane_power((pixels[..., channel] - luma).astype(np.float64) / scale / 255)
    return total.reshape(len(pixels), -1)


def _recoded(pixels: np.ndarray) -> np.ndarray:
    from PIL import Image

    file = io.BytesIO()
    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    Image.fromarray(flat).save(file, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(file)).reshape(pixels.shape)


@cache
def _sectors(size: int) -> np.ndarray:
    """Sum the half plane's frequencies by ring and direction, (frequency, ring × direction)."""
    count = len(rings(size))
    ring = ring_of(size)[:, : size // 2 + 1].ravel().astype(int)
    down = np.fft.fftfreq(size, 1 / size)[:, None]
    angle = np.arctan2(down, np.arange(size // 2 + 1)[None, :]).ravel()
    sector = np.floor(np.mod(angle / np.pi + 0.5 / DIRECTIONS, 1) * DIRECTIONS).astype(int)
    weight = np.broadcast_to(hermitian_weights(size), (size, size // 2 + 1)).ravel()
    kept = np.flatnonzero((ring >= 1) & (ring <= count))
    made = np.zeros((len(ring), count * DIRECTIONS))
    made[kept, (ring[kept] - 1) * DIRECTIONS + sector[kept]] = weight[kept]
    return made
