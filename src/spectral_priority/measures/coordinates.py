"""The coordinates that results of several measures have, with their units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import fourier


def of_classes(names: Sequence[str]) -> dict[str, tuple]:
    """Return the coordinate `class`."""
    return {"class": ("class", list(names), {"units": "1", "long_name": "class"})}


def of_rings(size: int, corners: bool = False, last: int | None = None) -> dict[str, tuple]:
    """Return `ring` in cycles/image, up to `last`, and the same as `frequency` in cycles/pixel.

    >>> of_rings(8)["frequency"][1].tolist()
    [0.125, 0.25, 0.375, 0.5]
    """
    ring = fourier.rings(size, corners)[:last]
    named = {"units": "cycles/image", "long_name": "ring of spatial frequency of the image"}
    per_pixel = {"units": "cycles/pixel", "long_name": "spatial frequency of the image"}
    return {"ring": ("ring", ring, named), "frequency": ("ring", ring / size, per_pixel)}


def of_half_plane(size: int, last: int | None = None) -> dict[str, tuple]:
    """Return `u` and `v` of the half plane in cycles/image, those up to `last`.

    >>> [coordinate[1].tolist() for coordinate in of_half_plane(8, last=1).values()]
    [[0.0, 1.0, -1.0], [0.0, 1.0]]
    """
    last = size if last is None else last
    u, v = np.fft.fftfreq(size, 1 / size), np.fft.rfftfreq(size, 1 / size)
    return {
        "u": (
            "u",
            u[np.abs(u) <= last],
            {"units": "cycles/image", "long_name": "vertical spatial frequency"},
        ),
        "v": ("v", v[v <= last], {"units": "cycles/image", "long_name": "horizontal spatial frequency"}),
    }
