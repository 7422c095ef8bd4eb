"""Band-limited noise: every frequency of a ring, or of a part of it, with one amplitude and a random phase."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..fourier import hermitian_weights
from ..half_plane import distinct_frequencies, hermitian_positions

ENERGY = 0.5
"""Mean square of a field: that of a cosine of amplitude 1."""


def ring_masks(size: int, rings: tuple[float, ...], orientations: int, width: float) -> np.ndarray:
    """Return which frequencies belong to each ring and direction.

    A frequency belongs to a ring where its radius differs from the ring's by no more than half the width, and to a
    direction where it deviates by no more than a quarter of the directions' spacing. One direction is the whole ring.

    Parameters
    ----------
    size : int
        Side of the images in pixels.
    rings : tuple of float
        Radii in cycles/image.
    orientations : int
        Equally spaced directions over 180°.
    width : float
        Width of a ring in cycles/image.

    Returns
    -------
    ndarray (ring, orientation, N, N//2 + 1) bool

    Raises
    ------
    InputError
        For a ring that the size can't show, or a part of it without any frequency.

    Examples
    --------
    >>> ring_masks(16, (1, 2), 2, 0.5).sum(axis=(2, 3)).tolist()
    [[1, 2], [1, 2]]
    """
    if max(rings) + width / 2 > size / 2:
        raise InputError(
            "source.bandwidth",
            f"noise of the ring {max(rings):g} reaches {max(rings) + width / 2:g} cycles/image",
            f"at most {size / 2:g} at {size} pixels",
            "lower the ring or the bandwidth, or raise size",
        )
    u, v = distinct_frequencies(size).T
    distance, direction = np.hypot(u, v), np.rad2deg(np.arctan2(u, v))
    masks = np.zeros((len(rings), orientations, size, size // 2 + 1), dtype=bool)
    for i, ring in enumerate(rings):
        for k in range(orientations):
            off = np.abs((direction - 180 * k / orientations + 90) % 180 - 90)
            chosen = np.abs(distance - ring) <= width / 2
            if orientations > 1:
                chosen &= off <= 45 / orientations
            if not (chosen & (distance > 0)).any():
                raise InputError(
                    "source.bandwidth",
                    f"at {width:g} cycles/image the ring {ring:g} has no frequency in direction "
                    f"{180 * k / orientations:g}°",
                    "at least one",
                    "raise the bandwidth, or lower orientations",
                )
            masks[i, k] = (chosen & (distance > 0))[hermitian_positions(size)]
    return masks


def ring_noise(white: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Make fields of one amplitude at the frequencies of a mask, with the phases of white noise.

    Parameters
    ----------
    white : ndarray (n, N, N) float64
        White noise.
    masks : ndarray (n, N, N//2 + 1) bool

    Returns
    -------
    ndarray (n, N, N) float64
        Mean 0 and mean square ½ each, as a cosine of amplitude 1 has.

    Examples
    --------
    >>> masks = ring_masks(16, (4,), 1, 1.0)[:, 0]
    >>> field = ring_noise(np.random.default_rng(0).standard_normal((1, 16, 16)), masks)
    >>> round(float((field**2).mean()), 6)
    0.5
    """
    size = white.shape[-1]
    spectrum = np.fft.rfft2(white, norm="ortho")
    frequencies = (masks * hermitian_weights(size)).sum(axis=(1, 2))
    amplitude = size * np.sqrt(ENERGY / frequencies)
    phases = spectrum / np.abs(spectrum)
    return np.fft.irfft2(amplitude[:, None, None] * masks * phases, s=(size, size), norm="ortho")
