"""Filters of images as half-plane factors, and single waves as images (METHODS 4).

Factors multiply `rfft2` of an image, (N, N//2 + 1); 1 keeps a frequency and 0 removes it. All are NumPy in float64.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .fourier import frozen, hermitian_weights, radius, ring_of


def low_pass(size: int, ring: int) -> np.ndarray:
    """Return the filter that keeps DC and rings 1 … `ring`: 1 or 0 on the half plane, (N, N//2 + 1).

    A filter is applied by multiplying a half-plane spectrum; corners count as rings beyond ⌊N/2⌋.

    >>> low_pass(4, 1)[:, :2].tolist()
    [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]
    """
    return (ring_of(size) <= ring).astype(np.float64)


def high_pass(size: int, ring: int, dc: bool = True) -> np.ndarray:
    """Return the filter that keeps the rings above `ring`, corners among them, and DC unless `dc` is False.

    >>> bool((high_pass(8, 2) + low_pass(8, 2)).sum() == 8 * 5 + 1)
    True
    """
    kept = ring_of(size) > ring
    kept[0, 0] = dc
    return kept.astype(np.float64)


def band_stop(size: int, first: int, last: int) -> np.ndarray:
    """Return the filter that removes rings `first` … `last`, first ≥ 1; DC stays.

    >>> bool((band_stop(8, 2, 3) == low_pass(8, 1) + high_pass(8, 3, dc=False)).all())
    True
    """
    return 1.0 - ((ring_of(size) >= max(first, 1)) & (ring_of(size) <= last))


def energy_rings(energy: np.ndarray, number: int) -> np.ndarray:
    """Divide the plane, without DC, into rings that hold equal parts of an energy, as nearly as radii allow.

    Frequencies of one radius √(u² + v²) stay together. A radius goes where the middle of its energy falls, so a ring is
    empty where one radius alone holds more than its part. Without any energy all are in ring 0.

    Parameters
    ----------
    energy : ndarray (N, N//2 + 1)
        Half-plane power at any scale.
    number : int
        Rings to make.

    Returns
    -------
    ndarray (N, N//2 + 1) int64
        Ring of each frequency, 0 … number − 1 outwards; −1 at DC.

    Examples
    --------
    >>> parts = energy_rings(np.ones((16, 9)), 2)
    >>> [float((hermitian_weights(16) * (parts == part)).sum()) for part in (-1, 0, 1)]
    [1.0, 128.0, 127.0]
    """
    size = energy.shape[-2]
    _, of_radius = np.unique(np.rint(radius(size) ** 2), return_inverse=True)
    of_radius = of_radius.reshape(energy.shape)
    counted = np.where(of_radius > 0, energy * hermitian_weights(size), 0.0)
    held = np.bincount(of_radius.ravel(), counted.ravel())
    middle = (np.cumsum(held) - held / 2) / (held.sum() or 1.0)
    ring = np.minimum((number * middle).astype(np.int64), number - 1)
    ring[0] = -1
    return ring[of_radius]


def octaves(size: int) -> np.ndarray:
    """Return the octave bands up to N/2 as (lowest, highest] radius in cycles/image, ascending: (bands, 2).

    The highest ends at N/2, the lowest is the last that holds a frequency.

    >>> octaves(32).tolist()
    [[0.5, 1.0], [1.0, 2.0], [2.0, 4.0], [4.0, 8.0], [8.0, 16.0]]
    >>> octaves(224)[:, 1].tolist()
    [1.75, 3.5, 7.0, 14.0, 28.0, 56.0, 112.0]
    """
    highest = size / 2.0 ** np.arange(int(np.log2(size)), 0, -1)
    return np.stack([highest / 2, highest], axis=1)


def octave_passes(size: int) -> np.ndarray:
    """Return the filter that keeps each band of `octaves`, without DC: (bands, N, N//2 + 1)."""
    squared = np.rint(radius(size) ** 2)
    lowest, highest = octaves(size).T[..., None, None]
    return ((squared > lowest**2) & (squared <= highest**2)).astype(np.float64)


def basis_images(size: int, frequencies: np.ndarray) -> np.ndarray:
    """Return the real Fourier basis images of norm 1: cos 2π(u·y + v·x)/N, (frequencies, 2) → (frequencies, N, N).

    Their spectrum is at (u, v) and (−u, −v) alone.

    >>> from spectral_priority.half_plane import distinct_frequencies
    >>> bool(np.allclose(np.linalg.norm(basis_images(5, distinct_frequencies(5)), axis=(1, 2)), 1))
    True
    """
    own_partner = (2 * frequencies % size == 0).all(axis=1)
    scale = np.where(own_partner, 1.0, np.sqrt(2)) / size
    down, across = plane_waves(size)[frequencies.T % size]
    down = scale[:, None, None] * down[:, :, None]
    return down.real * across.real[:, None, :] - down.imag * across.imag[:, None, :]


@cache
def plane_waves(size: int) -> np.ndarray:
    """Return exp(2πi·k·x ÷ N) for every whole k and x, (N, N) complex128: the wave (u, v) is row u times row v.

    Orthonormal transforms of a real image x make it Σ_pairs weight · Re(X(u,v) · wave(u,v)) ÷ N, and DC.

    >>> plane_waves(8)[1, [0, 2, 4]].round(9).tolist()
    [(1+0j), 1j, (-1+0j)]
    """
    table = np.exp(2j * np.pi * np.arange(size) / size)
    return frozen(table[np.outer(np.arange(size), np.arange(size)) % size])
