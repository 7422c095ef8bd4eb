"""Single frequencies of the half plane, each Hermitian pair once: (u, v) and (−u, −v) are one wave of a real image."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from .fourier import frozen, radial_matrix, radius, rings


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
    return frozen(np.stack([row[order], column[order]], axis=1))


@cache
def pair_weights(size: int) -> np.ndarray:
    """Return how many frequencies of the full plane each of `frequency_pairs` stands for: 2, or 1 (its own partner).

    >>> pair_weights(4).tolist()
    [2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0]
    """
    return frozen(np.where((2 * frequency_pairs(size) % size == 0).all(axis=1), 1.0, 2.0))


@cache
def pair_radius(size: int) -> np.ndarray:
    """Return the radius √(u² + v²) of each of `frequency_pairs` in cycles/image."""
    return frozen(radius(size)[tuple(frequency_pairs(size).T)])


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
    return frozen(np.unique(across * size + down, return_inverse=True)[1])


@cache
def distinct_frequencies(size: int) -> np.ndarray:
    """Return one (u, v) of each Hermitian pair, DC included, in cycles/image: (frequencies, 2) int64.

    >>> len(distinct_frequencies(32)), len(distinct_frequencies(5))
    (514, 13)
    """
    position = np.unique(hermitian_positions(size), return_index=True)[1]
    u, v = np.unravel_index(position, (size, size // 2 + 1))
    return frozen(np.stack([np.where(u > (size - 1) // 2, u - size, u), v], axis=1).astype(np.int64))


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
    return frozen(
        np.unique(np.where(2 * v % size, own, np.minimum(own, partner)), return_inverse=True)[1].reshape(
            own.shape
        )
    )


@cache
def distinct_radial_matrix(size: int) -> np.ndarray:
    """Return how many frequencies of each kept ring each of `distinct_frequencies` stands for: (frequencies, rings).

    >>> from spectral_priority.fourier import ring_sizes
    >>> bool((distinct_radial_matrix(8).sum(axis=0) == ring_sizes(8)).all())
    True
    """
    matrix = np.zeros((len(distinct_frequencies(size)), len(rings(size))))
    np.add.at(matrix, hermitian_positions(size).ravel(), radial_matrix(size))
    return frozen(matrix)
