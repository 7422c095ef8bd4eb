"""Grids, rings and radial sums: with `half_plane` and `filtering` the only place that knows how an FFT is laid out.

Images are square, side N. Spectra are half planes as `rfft2(norm="ortho")` returns them: (…, N, N//2 + 1); column v and
its mirror hold the same power, so v counts twice unless v = 0 or, for even N, v = N/2. Ring r holds the frequencies
with round(√(u² + v²)) = r, in cycles/image. All functions are NumPy in
float64; torch code uses their arrays (METHODS 2).
"""

from __future__ import annotations

from functools import cache

import numpy as np


def check_square(shape: tuple[int, ...]) -> int:
    """Return N of images shaped (…, N, N).

    Raises
    ------
    ValueError
        For images that are not square, or smaller than 4 pixels.

    Examples
    --------
    >>> check_square((7, 3, 32, 32))
    32
    """
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError(
            f"images must be square, (…, N, N); found shape {tuple(shape)}: crop or resize them first"
        )
    if shape[-1] < 4:
        raise ValueError(f"images must have at least 4×4 pixels; found shape {tuple(shape)}")
    return int(shape[-1])


@cache
def radius(size: int) -> np.ndarray:
    """Return √(u² + v²) in cycles/image on the half plane, (N, N//2 + 1).

    >>> radius(4)[:, 1].round(3).tolist()
    [1.0, 1.414, 2.236, 1.414]
    """
    u = np.fft.fftfreq(size, 1 / size)[:, None]
    v = np.fft.rfftfreq(size, 1 / size)[None, :]
    return frozen(np.hypot(u, v))


@cache
def ring_of(size: int) -> np.ndarray:
    """Return the ring of every half-plane frequency, (N, N//2 + 1) int64: the rounded radius."""
    return frozen(np.floor(radius(size) + 0.5).astype(np.int64))


@cache
def hermitian_weights(size: int) -> np.ndarray:
    """Return how often each half-plane column stands for a frequency of the full plane, (N//2 + 1,).

    >>> hermitian_weights(6).tolist(), hermitian_weights(5).tolist()
    ([1.0, 2.0, 2.0, 1.0], [1.0, 2.0, 2.0])
    """
    weights = np.full(size // 2 + 1, 2.0)
    weights[0] = 1.0
    if size % 2 == 0:
        weights[-1] = 1.0
    return frozen(weights)


@cache
def rings(size: int, corners: bool = False) -> np.ndarray:
    """Return the kept rings: 1 … ⌊N/2⌋, or up to the farthest corner.

    DC, and by default the corners, are left out: corners are anisotropic and about a fifth of all frequencies.

    >>> rings(8).tolist(), rings(8, corners=True).tolist()
    ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6])
    """
    last = int(ring_of(size).max()) if corners else size // 2
    return frozen(np.arange(1, last + 1))


@cache
def ring_sizes(size: int, corners: bool = False) -> np.ndarray:
    """Return the number of full-plane frequencies in each kept ring, float64.

    >>> ring_sizes(8).tolist()
    [8.0, 12.0, 16.0, 22.0]
    """
    return frozen(radial_matrix(size, corners).sum(axis=0))


@cache
def radial_matrix(size: int, corners: bool = False) -> np.ndarray:
    """Return the matrix that sums a flattened half-plane power spectrum over each kept ring of the full plane.

    Returns
    -------
    ndarray, shape (N·(N//2 + 1), number of rings)
        `power.reshape(n, -1) @ radial_matrix(N)` are the ring sums, Hermitian partners counted.

    Examples
    --------
    >>> power = half_plane_power(np.random.default_rng(0).normal(size=(16, 16)))
    >>> bool(np.isclose((power.ravel() @ radial_matrix(16, corners=True)).sum() + power[0, 0],
    ...                 (power * hermitian_weights(16)).sum()))
    True
    """
    kept = rings(size, corners)
    belongs = ring_of(size)[..., None] == kept
    return frozen((belongs * hermitian_weights(size)[None, :, None]).reshape(-1, len(kept)))


def half_plane_power(images: np.ndarray) -> np.ndarray:
    """Return |FFT|² of real images, orthonormal, on the half plane: (…, N, N) → (…, N, N//2 + 1), float64.

    Parseval: Σ x² = Σ power · hermitian_weights.
    """
    check_square(images.shape)
    spectrum = np.fft.rfft2(np.asarray(images, dtype=np.float64), norm="ortho")
    return spectrum.real**2 + spectrum.imag**2


def radial_sum(power: np.ndarray, corners: bool = False) -> np.ndarray:
    """Sum half-plane power over each kept ring: (…, N, N//2 + 1) → (…, rings)."""
    size = power.shape[-2]
    return power.reshape(*power.shape[:-2], size * power.shape[-1]) @ radial_matrix(size, corners)


def centroid(share: np.ndarray) -> np.ndarray:
    """Return Σ r·S(r) ÷ ΣS(r) in cycles/image along the last axis of a ring profile.

    >>> float(centroid(np.array([0.0, 1.0, 1.0, 0.0])))
    2.5
    """
    ring = np.arange(1, share.shape[-1] + 1)
    return (share * ring).sum(axis=-1) / share.sum(axis=-1)


def log_log_slope(density: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit log density on log ring by least squares over all kept rings: (…, ring) → two of (…).

    Returns
    -------
    slope, r2
        NaN, NaN where a ring has no power (its logarithm does not exist).

    Examples
    --------
    >>> slope, r2 = log_log_slope(np.arange(1, 17) ** -2.0)
    >>> round(float(slope), 6), round(float(r2), 6)
    (-2.0, 1.0)
    """
    density = np.asarray(density, dtype=np.float64)
    x = np.log(np.arange(1, density.shape[-1] + 1))
    y = np.log(density, where=(density > 0).all(axis=-1, keepdims=True), out=np.full(density.shape, np.nan))
    x, y = x - x.mean(), y - y.mean(axis=-1, keepdims=True)
    slope = np.asarray(y @ x / (x @ x))
    residual, spread = ((y - slope[..., None] * x) ** 2).sum(axis=-1), (y**2).sum(axis=-1)
    unexplained = np.divide(residual, spread, where=spread != 0, out=np.zeros_like(slope))
    return slope, 1 - unexplained


def bands(size: int, corners: bool = False) -> dict[str, np.ndarray]:
    """Return which of the kept rings are low (r ≤ N/6), mid (≤ N/3) and high, as boolean masks.

    >>> {name: int(mask.sum()) for name, mask in bands(32).items()}
    {'low': 5, 'mid': 5, 'high': 6}
    """
    ring = rings(size, corners)
    low, mid = ring <= size / 6, ring <= size / 3
    return {"low": low, "mid": mid & ~low, "high": ~mid}


@cache
def detrended_hann(samples: int) -> np.ndarray:
    """Return the matrix that removes a line fitted by least squares and applies a periodic Hann window.

    For functions along a path, sampled at t = j/samples: `np.fft.rfft(matrix @ values)` counts cycles per path.

    Returns
    -------
    ndarray (samples, samples)
        Scaled so that Σ |rfft|² · hermitian_weights ÷ samples is the mean square that the window sees.

    Examples
    --------
    >>> float(np.abs(detrended_hann(16) @ (3 + 2 * np.arange(16))).max() < 1e-13)
    1.0
    """
    line = np.stack([np.ones(samples), np.arange(samples)], axis=1)
    basis, _ = np.linalg.qr(line)
    window = np.sin(np.pi * np.arange(samples) / samples) ** 2
    window /= np.sqrt((window**2).sum())
    return frozen(window[:, None] * (np.eye(samples) - basis @ basis.T))


def full_plane(half: np.ndarray) -> np.ndarray:
    """Complete half-plane values that are equal at (u, v) and (−u, −v): (…, N, N//2 + 1) → (…, N, N), FFT order.

    >>> image = np.random.default_rng(0).normal(size=(5, 5))
    >>> bool(np.allclose(full_plane(half_plane_power(image)), np.abs(np.fft.fft2(image, norm="ortho")) ** 2))
    True
    """
    size = half.shape[-2]
    mirrored = half[..., -np.arange(size) % size, :][..., (size - 1) // 2 : 0 : -1]
    return np.concatenate([half, mirrored], axis=-1)


def frozen(array: np.ndarray) -> np.ndarray:
    """Make an array read-only: those that are cached are given to everybody."""
    array.flags.writeable = False
    return array
