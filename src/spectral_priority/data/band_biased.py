"""Built-in images of which each class stands out in one radial band (METHODS 11).

An image is noise of random phases under a power law, the same for all classes. A class differs from it in nothing but
the mean amplitude at frequencies of a band of its own, which is `gain` times what other classes have there: where the
power is gives no class away, for phases, and so places, are drawn anew for every image. Two classes are told apart by
their two bands and by no other (but for what clipping at black and white adds). Contrast and pixel noise are nuisances,
drawn independently of the class. Image i of a split depends on (seed, split, i) only, not on how many images there are
or how many are made at a time.

Inspired by Wang et al. 2023 (arXiv 2307.09829), whose generator is not public: these are not their images.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from ..config.generators import BandBiased
from ..errors import InputError
from ..fourier import hermitian_weights, radius, ring_of
from ..half_plane import frequency_pairs, on_half_plane
from .batches import Batch, Placement

CHUNK_BYTES = 8 << 20
"""Memory for the float64 pixels of the images made at a time."""
SPLITS = ("train", "held_out")
BANDS = 4
"""Equal bands that the rings 1 … ⌊N/2⌋ are cut into where none are given."""


class BandBiasedSource:
    """Generator of band-biased images.

    Parameters
    ----------
    options : BandBiased
    size : int
        Side of the images in pixels.
    channels : int
        1, or 3: the same field in each, with noise of its own.

    Raises
    ------
    InputError
        For bands that the size can't show, and for numbers of gains or shares that fit no number of bands.

    Examples
    --------
    >>> source = BandBiasedSource(BandBiased(kind="band-biased", train=6, held_out=2), size=32, channels=1)
    >>> source.bands
    ((1, 4), (5, 8), (9, 12), (13, 16))
    >>> [batch.pixels.shape for batch in source.batches()]
    [(6, 32, 32, 1), (2, 32, 32, 1)]
    """

    def __init__(self, options: BandBiased, size: int, channels: int):
        self.options, self.size, self.channels = options, size, channels
        self.total: int | None = options.train + options.held_out
        self.unreadable: list[dict[str, str]] = []
        self.ignored: dict[str, int] = {}
        self.bands = options.bands or equal_bands(size)
        highest = max(last for _, last in self.bands)
        if highest > size // 2:
            raise InputError(
                "source.bands",
                f"{highest} cycles/image",
                f"at most {size // 2} at {size} pixels",
                "lower the band or raise size",
            )
        for field in ("gain", "share"):
            found = len(getattr(options, field))
            if found not in (1, len(self.bands)):
                raise InputError(
                    f"source.{field}", f"has {found} numbers", f"one, or one per band: {len(self.bands)}"
                )
        self._amplitude = background(size, options.slope) * self.gains()

    def gains(self) -> np.ndarray:
        """Return the factor of a class's amplitude at each frequency, (class, N, N//2 + 1): 1 outside its band."""
        pairs = frequency_pairs(self.size)
        ring = ring_of(self.size)[tuple(pairs.T)]
        planes = []
        for number, (first, last) in enumerate(self.bands):
            gain, share = (_of_class(values, number) for values in (self.options.gain, self.options.share))
            of_pairs = np.ones(len(pairs))
            for own in range(first, last + 1):
                # The order is the same for every share, so that a smaller share is part of a larger one.
                order = np.random.default_rng([self.options.seed, 2, number, own])
                place = order.permutation(np.flatnonzero(ring == own))
                of_pairs[place[: round(share * len(place))]] = gain
            planes.append(on_half_plane(of_pairs, dc=1.0))
        return np.stack(planes)

    def batches(self) -> Iterator[Batch]:
        """Make the images, the training split first."""
        chunk = max(1, CHUNK_BYTES // (8 * self.size**2 * self.channels))
        for split, count in enumerate((self.options.train, self.options.held_out)):
            # Three streams, each read in the order of the images: no draw depends on the chunk.
            contrasts, fields, noise = (
                np.random.default_rng([self.options.seed, split, stream]) for stream in (0, 1, 3)
            )
            for start in range(0, count, chunk):
                number = np.arange(start, min(start + chunk, count))
                n = len(number)
                low, high = self.options.contrast
                contrast = low + (high - low) * contrasts.random(n)
                pixels = self._draw(number, contrast, fields, noise)
                yield Batch(
                    [f"{SPLITS[split]}/{i:06d}" for i in number],
                    pixels,
                    ["generated"] * n,
                    [-1] * n,
                    [self.size] * n,
                    [self.size] * n,
                )

    def place(self, keys: list[str]) -> Placement:
        """Tell split and class of images by their keys (`train/000012`); the classes take turns."""
        number = np.array([int(key.partition("/")[2]) for key in keys])
        return Placement(
            source=list(keys),
            split=np.array([SPLITS.index(key.partition("/")[0]) for key in keys], dtype=np.uint8),
            labels={"band": (number % len(self.bands)).astype(np.int32)},
            classes={"band": [f"band-{first}-{last}" for first, last in self.bands]},
            hierarchy={},
            planted=["band"],
        )

    def _draw(
        self,
        number: np.ndarray,
        contrast: np.ndarray,
        fields: np.random.Generator,
        noise: np.random.Generator,
    ) -> np.ndarray:
        white = np.fft.rfft2(fields.standard_normal((len(number), self.size, self.size)), norm="ortho")
        shaped = white * self._amplitude[number % len(self.bands)]
        field = np.fft.irfft2(shaped, s=(self.size, self.size), norm="ortho")
        image = 0.5 + contrast[:, None, None, None] * field[..., None]
        image = image + self.options.noise * noise.standard_normal((*field.shape, self.channels))
        return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def equal_bands(size: int) -> tuple[tuple[int, int], ...]:
    """Return the first and last ring of four equal bands of 1 … ⌊N/2⌋, as equal as whole rings can be.

    >>> equal_bands(64)
    ((1, 8), (9, 16), (17, 24), (25, 32))
    """
    ends = [size // 2 * part // BANDS for part in range(BANDS + 1)]
    return tuple((before + 1, end) for before, end in pairwise(ends))


def background(size: int, slope: float) -> np.ndarray:
    """Return the amplitude that white noise of variance 1 is given at each frequency, (N, N//2 + 1).

    It falls with radius^slope, is 0 at DC, and leaves the pixels' variance at 1.
    """
    distance = radius(size).copy()
    distance[0, 0] = 1.0
    amplitude = distance**-slope
    amplitude[0, 0] = 0.0
    return amplitude * size / np.sqrt((amplitude**2 * hermitian_weights(size)).sum())


def _of_class(values: tuple[float, ...], number: int) -> float:
    return values[0] if len(values) == 1 else values[number]
