"""Grids, rings, radial sums and filters: the only place that knows how an FFT is laid out (METHODS 2).

Images are square, side N. Spectra are half planes as `rfft2(norm="ortho")` returns them: (…, N, N//2 + 1); column v and
its mirror hold the same power, so v counts twice unless v = 0 or, for even N, v = N/2. Ring r holds the frequencies
with round(√(u² + v²)) = r, in cycles/image. All functions are NumPy in float64; torch code uses their arrays.
"""

from __future__ import annotations

import math
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
    return _frozen(np.hypot(u, v))


@cache
def ring_of(size: int) -> np.ndarray:
    """Return the ring of every half-plane frequency, (N, N//2 + 1) int64: the rounded radius."""
    return _frozen(np.floor(radius(size) + 0.5).astype(np.int64))


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
    return _frozen(weights)


@cache
def rings(size: int, corners: bool = False) -> np.ndarray:
    """Return the kept rings: 1 … ⌊N/2⌋, or up to the farthest corner.

    DC, and by default the corners, are left out: corners are anisotropic and about a fifth of all frequencies.

    >>> rings(8).tolist(), rings(8, corners=True).tolist()
    ([1, 2, 3, 4], [1, 2, 3, 4, 5, 6])
    """
    last = int(ring_of(size).max()) if corners else size // 2
    return _frozen(np.arange(1, last + 1))


@cache
def ring_sizes(size: int, corners: bool = False) -> np.ndarray:
    """Return the number of full-plane frequencies in each kept ring, float64.

    >>> ring_sizes(8).tolist()
    [8.0, 12.0, 16.0, 22.0]
    """
    return _frozen(radial_matrix(size, corners).sum(axis=0))


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
    return _frozen((belongs * hermitian_weights(size)[None, :, None]).reshape(-1, len(kept)))


@cache
def frequency_pairs(size: int) -> np.ndarray:
    """Return where each frequency but DC lies on the half plane, once with its Hermitian partner: (pairs, 2) int64.

    Row and column of (…, N, N//2 + 1). In column 0, and for even N in N/2, (u, v) with u ≥ 0 stands for (−u, v) too.
    Sorted by radius, then by u and v, so that whoever ranks pairs breaks ties towards low frequencies.

    >>> frequency_pairs(4).tolist()
    [[0, 1], [1, 0], [1, 1], [3, 1], [0, 2], [2, 0], [1, 2], [2, 1], [2, 2]]
    """
    row, column = np.indices((size, size // 2 + 1)).reshape(2, -1)
    alone = (column == 0) | (2 * column == size)
    chosen = (row + column > 0) & (~alone | (2 * row <= size))
    row, column = row[chosen], column[chosen]
    order = np.lexsort((column, row, radius(size)[row, column]))
    return _frozen(np.stack([row[order], column[order]], axis=1))


@cache
def pair_weights(size: int) -> np.ndarray:
    """Return how many frequencies of the full plane each of `frequency_pairs` stands for: 2, or 1 (its own partner).

    >>> pair_weights(4).tolist()
    [2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0]
    """
    return _frozen(np.where((2 * frequency_pairs(size) % size == 0).all(axis=1), 1.0, 2.0))


@cache
def pair_radius(size: int) -> np.ndarray:
    """Return the radius √(u² + v²) of each of `frequency_pairs` in cycles/image."""
    return _frozen(radius(size)[tuple(frequency_pairs(size).T)])


def on_half_plane(of_pairs: np.ndarray, dc: float = 0) -> np.ndarray:
    """Lay values of `frequency_pairs` out on the half plane, both partners: (…, pairs) → (…, N, N//2 + 1).

    >>> on_half_plane(np.arange(1, 10), dc=7).tolist()
    [[7, 1, 5], [2, 3, 7], [6, 8, 9], [2, 4, 7]]
    """
    size = size_of_pairs(of_pairs.shape[-1])
    row, column = frequency_pairs(size).T
    plane = np.full((*of_pairs.shape[:-1], size, size // 2 + 1), dc, dtype=of_pairs.dtype)
    plane[..., row, column] = of_pairs
    alone = (column == 0) | (2 * column == size)
    plane[..., -row[alone] % size, column[alone]] = of_pairs[..., alone]
    return plane


def size_of_pairs(pairs: int) -> int:
    """Return N of images that have so many `frequency_pairs`: 2·pairs is N² − 1, or N² + 2 for even N.

    >>> [size_of_pairs(len(frequency_pairs(size))) for size in (4, 5, 224)]
    [4, 5, 224]
    """
    return math.isqrt(2 * pairs + 1)


@cache
def patches(size: int, side: int, shifted: bool = False) -> np.ndarray:
    """Return the square patch of the frequency plane that each of `frequency_pairs` lies in, numbered from 0: (pairs,).

    Patches of side × side frequencies tile the plane from u, v = −⌊N/2⌋ on, or from half a patch before it. A pair lies
    where its v ≥ 0 lies; the border of the half plane cuts patches.

    >>> np.bincount(patches(32, 8)).tolist()
    [57, 56, 63, 64, 64, 64, 64, 64, 1, 8, 8]
    """
    row, column = frequency_pairs(size).T
    corner = size // 2 + (side // 2 if shifted else 0)
    down, across = (((row + size // 2) % size - size // 2 + corner) // side, (column + corner) // side)
    return _frozen(np.unique(across * size + down, return_inverse=True)[1])


@cache
def plane_waves(size: int) -> np.ndarray:
    """Return exp(2πi·k·x ÷ N) for every whole k and x, (N, N) complex128: the wave (u, v) is row u times row v.

    Orthonormal transforms of a real image x make it Σ_pairs weight · Re(X(u,v) · wave(u,v)) ÷ N, and DC.

    >>> plane_waves(8)[1, [0, 2, 4]].round(9).tolist()
    [(1+0j), 1j, (-1+0j)]
    """
    table = np.exp(2j * np.pi * np.arange(size) / size)
    return _frozen(table[np.outer(np.arange(size), np.arange(size)) % size])


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
    return power.reshape(*power.shape[:-2], -1) @ radial_matrix(size, corners)


def centroid(share: np.ndarray) -> np.ndarray:
    """Return Σ r·S(r) ÷ ΣS(r) in cycles/image along the last axis of a ring profile.

    >>> float(centroid(np.array([0.0, 1.0, 1.0, 0.0])))
    2.5
    """
    ring = np.arange(1, share.shape[-1] + 1)
    return (share * ring).sum(axis=-1) / share.sum(axis=-1)


def log_log_slope(density: np.ndarray) -> tuple[float, float]:
    """Fit log density on log ring by least squares over all kept rings.

    Returns
    -------
    slope, r2
        NaN, NaN where a ring has no power (its logarithm does not exist).

    Examples
    --------
    >>> slope, r2 = log_log_slope(np.arange(1, 17) ** -2.0)
    >>> round(slope, 6), round(r2, 6)
    (-2.0, 1.0)
    """
    density = np.asarray(density, dtype=np.float64)
    if density.ndim != 1 or len(density) < 2 or not (density > 0).all():
        return float("nan"), float("nan")
    x, y = np.log(np.arange(1, len(density) + 1)), np.log(density)
    x, spread = x - x.mean(), ((y - y.mean()) ** 2).sum()
    slope = (x @ y) / (x @ x)
    residual = ((y - y.mean() - slope * x) ** 2).sum()
    return float(slope), float(1 - residual / spread) if spread > 0 else 1.0


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
    return _frozen(window[:, None] * (np.eye(samples) - basis @ basis.T))


def full_plane(half: np.ndarray) -> np.ndarray:
    """Complete half-plane values that are equal at (u, v) and (−u, −v): (…, N, N//2 + 1) → (…, N, N), FFT order.

    >>> image = np.random.default_rng(0).normal(size=(5, 5))
    >>> bool(np.allclose(full_plane(half_plane_power(image)), np.abs(np.fft.fft2(image, norm="ortho")) ** 2))
    True
    """
    size = half.shape[-2]
    mirrored = half[..., -np.arange(size) % size, :][..., (size - 1) // 2 : 0 : -1]
    return np.concatenate([half, mirrored], axis=-1)


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


@cache
def distinct_frequencies(size: int) -> np.ndarray:
    """Return one (u, v) of each Hermitian pair, DC included, in cycles/image: (frequencies, 2) int64.

    >>> len(distinct_frequencies(32)), len(distinct_frequencies(5))
    (514, 13)
    """
    position = np.unique(hermitian_positions(size), return_index=True)[1]
    u, v = np.unravel_index(position, (size, size // 2 + 1))
    return _frozen(np.stack([np.where(u > (size - 1) // 2, u - size, u), v], axis=1).astype(np.int64))


@cache
def hermitian_positions(size: int) -> np.ndarray:
    """Return where in `distinct_frequencies` each half-plane frequency, or its partner, stands: (N, N//2 + 1) int64.

    >>> found = hermitian_positions(4)
    >>> bool(found[1, 0] == found[3, 0]), bool(found[1, 1] == found[3, 1])
    (True, False)
    """
    u, v = np.mgrid[:size, : size // 2 + 1]
    own = u * (size // 2 + 1) + v
    partner = -u % size * (size // 2 + 1) + v
    return _frozen(
        np.unique(np.where(2 * v % size, own, np.minimum(own, partner)), return_inverse=True)[1].reshape(
            own.shape
        )
    )


@cache
def distinct_radial_matrix(size: int) -> np.ndarray:
    """Return how many frequencies of each kept ring each of `distinct_frequencies` stands for: (frequencies, rings).

    >>> bool((distinct_radial_matrix(8).sum(axis=0) == ring_sizes(8)).all())
    True
    """
    matrix = np.zeros((len(distinct_frequencies(size)), len(rings(size))))
    np.add.at(matrix, hermitian_positions(size).ravel(), radial_matrix(size))
    return _frozen(matrix)


def basis_images(size: int, frequencies: np.ndarray) -> np.ndarray:
    """Return the real Fourier basis images of norm 1: cos 2π(u·y + v·x)/N, (frequencies, 2) → (frequencies, N, N).

    Their spectrum is at (u, v) and (−u, −v) alone.

    >>> bool(np.allclose(np.linalg.norm(basis_images(5, distinct_frequencies(5)), axis=(1, 2)), 1))
    True
    """
    angle = 2 * np.pi / size * (frequencies[..., None] * np.arange(size) % size)  # whole turns lose digits
    (u, v), (cos_u, cos_v), (sin_u, sin_v) = (
        np.moveaxis(part, 1, 0) for part in (frequencies, np.cos(angle), np.sin(angle))
    )
    image = cos_u[:, :, None] * cos_v[:, None, :] - sin_u[:, :, None] * sin_v[:, None, :]
    own_partner = (2 * u % size == 0) & (2 * v % size == 0)
    return image * (np.where(own_partner, 1.0, np.sqrt(2)) / size)[:, None, None]


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False  # cached: everybody gets the same array
    return array
