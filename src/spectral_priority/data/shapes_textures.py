"""Built-in images with a known answer: a random shape filled with a texture of a chosen ring (METHODS 11).

What the shape is can be seen from its outline (low frequencies), what the texture is only from the texture: inside the
shape it has no mean, so it leaves no trace in the brightness. It is a grating, or noise of the ring (`ring_noise`).
Position, radius, rotation, phase, direction, contrast, polarity, background, tint and noise are nuisances, drawn
independently of the labels; one that is switched off leaves the others as they were. Image i of a split depends on
(seed, split, i) only, not on how many images there are or how many are made at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..config.generators import ShapesTextures
from ..errors import InputError
from .batches import Batch, Placement
from .ring_noise import ring_masks, ring_noise

CHUNK_BYTES = 8 << 20
"""Memory for the float64 pixels of the images made at a time."""
SPLITS = ("train", "held_out")
NUISANCES = 13
"""Random numbers per image, without its noise."""
LIGHT = {"both": 0.5, "bright": 0.0, "dark": 1.0}
"""Share of the shapes that are darker than the background."""


class ShapesTexturesSource:
    """Generator of shapes × textures.

    Parameters
    ----------
    options : ShapesTextures
    size : int
        Side of the images in pixels.
    channels : int
        1, or 3: a slight random tint.

    Raises
    ------
    InputError
        For rings that the size can't show, bands without frequencies, and shapes that don't fit.

    Examples
    --------
    >>> options = ShapesTextures(kind="shapes-textures", train=6, held_out=2)
    >>> [batch.pixels.shape for batch in ShapesTexturesSource(options, size=32, channels=1).batches()]
    [(6, 32, 32, 1), (2, 32, 32, 1)]
    """

    def __init__(self, options: ShapesTextures, size: int, channels: int):
        self.options, self.size, self.channels = options, size, channels
        self.total: int | None = options.train + options.held_out
        self.unreadable: list[dict[str, str]] = []
        self.ignored: dict[str, int] = {}
        if max(options.rings) > size / 2:
            raise InputError(
                "source.rings",
                f"{max(options.rings):g} cycles/image",
                f"at most {size / 2:g} at {size} pixels",
                "lower the ring or raise size",
            )
        if options.radius[1] > 0.5:
            raise InputError("source.radius", f"found {options.radius[1]:g}", "at most 0.5 image sides")
        self._masks = None
        if options.texture == "noise":
            self._masks = ring_masks(size, options.rings, options.orientations, options.bandwidth)
        for field in ("shapes", "rings"):
            values = getattr(options, field)
            if len(set(values)) < len(values):
                raise InputError(f"source.{field}", "lists a value twice", "each value once")

    def batches(self) -> Iterator[Batch]:
        """Make the images, the training split first."""
        chunk = max(1, CHUNK_BYTES // (8 * self.size**2 * self.channels))
        for split, count in enumerate((self.options.train, self.options.held_out)):
            # Streams, each read in the order of the images: no draw depends on the chunk.
            nuisances, noise, fields = (
                np.random.default_rng([self.options.seed, split, stream]) for stream in (0, 1, 2)
            )
            for start in range(0, count, chunk):
                number = np.arange(start, min(start + chunk, count))
                pixels = self._draw(number, nuisances.random((len(number), NUISANCES)), noise, fields)
                n = len(number)
                yield Batch(
                    [f"{SPLITS[split]}/{i:06d}" for i in number],
                    pixels,
                    ["generated"] * n,
                    [-1] * n,
                    [self.size] * n,
                    [self.size] * n,
                )

    def place(self, keys: list[str]) -> Placement:
        """Tell split and labels of images by their keys (`train/000012`)."""
        options = self.options
        split = np.array([SPLITS.index(key.partition("/")[0]) for key in keys], dtype=np.uint8)
        number = np.array([int(key.partition("/")[2]) for key in keys])
        shape, ring, orientation = self._combination(number)
        rings = [f"ring-{ring:g}" for ring in options.rings]
        angles = [f"angle-{180 * k / options.orientations:g}" for k in range(options.orientations)]
        # With a single direction the direction is a nuisance: no label, and the texture is its ring.
        one = options.orientations == 1
        textures = rings if one else [f"{ring}-{angle}" for ring in rings for angle in angles]
        both = [f"{shape}-{texture}" for shape in options.shapes for texture in textures]
        texture = ring * options.orientations + orientation
        labels = {
            "shape": shape,
            "ring": ring,
            "orientation": orientation,
            "texture": texture,
            "both": shape * len(textures) + texture,
        }
        classes = {
            "shape": list(options.shapes),
            "ring": rings,
            "orientation": angles,
            "texture": textures,
            "both": both,
        }
        if one:
            del labels["orientation"], classes["orientation"]
        texture_tree = [("textures", ring) for ring in rings]
        if not one:
            texture_tree += [(ring, f"{ring}-{angle}") for ring in rings for angle in angles]
        both_tree = [("images", shape) for shape in options.shapes]
        both_tree += [(shape, f"{shape}-{texture}") for shape in options.shapes for texture in textures]
        return Placement(
            source=list(keys),
            split=split,
            labels={column: values.astype(np.int32) for column, values in labels.items()},
            classes=classes,
            hierarchy={"texture": texture_tree, "both": both_tree},
            planted=[column for column in labels if column != "shape"],
        )

    def _combination(self, number: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shape, ring and orientation of image i: all combinations take turns."""
        rest, orientation = np.divmod(number, self.options.orientations)
        rest, ring = np.divmod(rest, len(self.options.rings))
        return rest % len(self.options.shapes), ring, orientation

    def _draw(
        self, number: np.ndarray, uniform: np.ndarray, noise: np.random.Generator, fields: np.random.Generator
    ) -> np.ndarray:
        options, size = self.options, self.size
        shape, ring, orientation = self._combination(number)
        # One column per nuisance, each (n, 1, 1): it meets pixels (y, x) by broadcasting.
        u = iter(uniform.T[:, :, None, None])
        radius = _between(options.radius, next(u)) * size
        centre_x, centre_y = (radius + (size - 2 * radius) * next(u) for _ in range(2))
        if options.position == "centre":
            centre_x = centre_y = np.full_like(radius, size / 2)
        rotation, phase = (2 * np.pi * next(u) * (most / 360) for most in (options.rotation, options.phase))
        polarity = np.where(next(u) < LIGHT[options.polarity], -1.0, 1.0)
        background, step = _between(options.background, next(u)), _between(options.step, next(u))
        contrast, turn = _between(options.contrast, next(u)), next(u)
        tint = np.concatenate([_between((1 - options.tint, 1.0), next(u)) for _ in range(3)], axis=2)

        y, x = np.mgrid[:size, :size] + 0.5
        cover = _coverage(np.array(options.shapes)[shape], x - centre_x, y - centre_y, radius, rotation)
        if self._masks is None:
            texture = self._grating(x, y, ring, orientation, phase, turn)
        else:
            white = fields.standard_normal((len(number), size, size))
            texture = ring_noise(white, self._masks[ring, orientation])
        texture -= (cover * texture).sum(axis=(1, 2), keepdims=True) / cover.sum(axis=(1, 2), keepdims=True)

        level = np.clip(background + polarity * step, 0, 1)
        amplitude = contrast * np.minimum(level, 1 - level)
        image = background + cover * (level - background + amplitude * texture)
        image = image[..., None] * (tint[:, :, None, :] if self.channels == 3 else 1.0)
        image = image + options.noise * noise.standard_normal(image.shape)
        return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)

    def _grating(
        self,
        x: np.ndarray,
        y: np.ndarray,
        ring: np.ndarray,
        orientation: np.ndarray,
        phase: np.ndarray,
        turn: np.ndarray,
    ) -> np.ndarray:
        spacing = 180 / self.options.orientations
        jitter = min(self.options.jitter, spacing / 4)
        degrees = orientation[:, None, None] * spacing + (2 * turn - 1) * jitter
        if self.options.orientations == 1:
            degrees = self.options.direction * turn
        angle = np.deg2rad(degrees)
        frequency = 2 * np.pi * np.array(self.options.rings, dtype=float)[ring][:, None, None] / self.size
        return np.cos(frequency * (x * np.cos(angle) + y * np.sin(angle)) + phase)


def _between(limits: tuple[float, float], uniform: np.ndarray) -> np.ndarray:
    return limits[0] + (limits[1] - limits[0]) * uniform


def _coverage(
    shape: np.ndarray, x: np.ndarray, y: np.ndarray, radius: np.ndarray, rotation: np.ndarray
) -> np.ndarray:
    """How much of each pixel a shape covers: soft edges, one pixel wide; all shapes fit in a circle of the radius."""
    along = x * np.cos(rotation) + y * np.sin(rotation)
    across = y * np.cos(rotation) - x * np.sin(rotation)
    distance = np.empty(along.shape)
    for name in np.unique(shape):
        mine = shape == name
        distance[mine] = DISTANCES[name](along[mine], across[mine], radius[mine])
    return np.clip(0.5 - distance, 0, 1)


def _disc(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.hypot(x, y) - radius


def _square(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(x), np.abs(y)) - radius / np.sqrt(2)


def _triangle(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    slanted = np.abs(x) * np.sqrt(3) / 2 + y / 2
    return np.maximum(slanted, -y) - radius / 2


def _cross(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    x, y = np.abs(x), np.abs(y)
    length = radius * 3 / np.sqrt(10)  # arms three times as long as wide, corners on the circle
    bar = np.maximum(np.maximum(x, y) - length, np.minimum(x, y) - length / 3)
    return bar


DISTANCES = {"disc": _disc, "square": _square, "triangle": _triangle, "cross": _cross}
"""Signed distance to each shape's outline in pixels, negative inside (for corners, to the nearest side's line)."""
