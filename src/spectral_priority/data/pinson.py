"""Pinson's spectrum: the spatial frequencies of the modes by which a linear network tells classes apart (METHODS 7).

Question
--------
At which spatial frequencies are the modes that a linear network learns from these images, weighted by their strength?

Equation
--------
SVD of the rows √n_c·(μ_c − μ), c = 1 … C: singular values s_α, right singular vectors v_α (images of norm 1)
P(r) = Σ_{(u,v) in ring r} Σ_α s_α Σ_channel |FFT2(v_α)|²,   share(r) = P(r) ÷ Σ_{kept rings} P
μ_c: mean of the n_c images of class c; μ: mean of all images.

Source
------
After Pinson et al. 2023 (arXiv 2303.02034). With s_α² in place of s_α it would be the class-mean PSD weighted by n_c.

Cost
----
No model. Images are read once; the eigenvectors of a class × class matrix and one transform per class, 21 times for
the jackknife. Memory: 20 sums of pixels per class, fewer (`jackknife_groups`) beyond 2 GiB.

Pitfalls
--------
- Weak modes count more than in `class-mean-psd`, and they are those that means of few images have by chance. How much
  that is can't be told from replicates, for singular values of noise don't fall with the number of images: look at
  `sampling_share` of `class-mean-psd`; here chance has a larger part.
- The power grows with √n, the share does not: compare powers of sets of equal size only.
- Only mean images are seen: classes that differ in textures of random phase have no modes here.
- With one class, or where means don't differ, powers and shares are zero, and the centroid is missing and counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import fourier
from .class_means import ClassSums, class_sums, radial_spectrum


def pinson(images: Any, labels: Any, image_ids: Any = None) -> xr.Dataset:
    """Measure at which spatial frequencies the linear modes lie that tell classes apart.

    Parameters
    ----------
    images : array or Tensor
        uint8 (n, N, N, channel), or floating-point (n, channel, N, N) in [0, 1].
    labels : array or Tensor (n,) of whole numbers
        Class of each image.
    image_ids : array (n,) of whole numbers, optional
        Identity of each image, which the jackknife's groups follow; by default its position.

    Returns
    -------
    xarray.Dataset
        On `ring` (cycles/image, with `frequency` in cycles/pixel): `share`; `power` in pixel value × √images. Scalars:
        `centroid`, `dc_share`, `corner_share` (both of all power), `images`, `classes`, `jackknife_groups`. `<name>_se`
        is the standard error over images, by the jackknife. `<…>_missing` count numbers that are NaN.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], and parts that do not fit each other.

    Notes
    -----
    METHODS 7; after Pinson et al. 2023 (arXiv 2303.02034). Jackknife groups hold equally many images of each class, to
    one.

    Examples
    --------
    Two classes that differ by a wave of 3 cycles/image:

    >>> wave = np.broadcast_to(np.cos(2 * np.pi * 3 * np.arange(16) / 16) / 4, (16, 16))
    >>> labels = np.arange(40) % 2
    >>> images = 0.5 + labels[:, None, None, None] * wave
    >>> found = pinson(images, labels)
    >>> round(float(found.centroid), 6), round(float(found.share.sel(ring=3)), 6)
    (3.0, 1.0)
    """
    return pinson_of(class_sums(images, labels, image_ids))


def pinson_of(sums: ClassSums) -> xr.Dataset:
    """Measure sums of pixels that were added up elsewhere: `pinson` for images that don't fit in memory."""
    least = np.sqrt(sums.images * sums.rounding())  # singular values are no squares
    return radial_spectrum(sums, modes, "pinson", "pixel value × √images", least, sampling=False)


def modes(centred: np.ndarray, counts: np.ndarray, exponent: int = 1) -> np.ndarray:
    """Return Σ_α s_α^exponent Σ_channel |FFT2(v_α)|² on the half plane, (N, N//2 + 1).

    Parameters
    ----------
    centred : ndarray (class, channel, N, N)
        Class means less the mean of all images.
    counts : ndarray (class,)
        Images per class.
    exponent : int
        1: Pinson's spectrum; 2: the class-mean PSD, weighted by the images per class.

    Notes
    -----
    Left singular vectors u are the eigenvectors of the class × class Gram matrix. Then s_α v_α = Wᵀ u_α, whose norm is
    s_α: more exact than the root of an eigenvalue.
    """
    rows = (np.sqrt(counts)[:, None, None, None] * centred).reshape(len(centred), -1)
    _, vectors = np.linalg.eigh(rows @ rows.T)
    power = 0.0
    for mode in vectors.T @ rows:  # s·v
        strength = np.linalg.norm(mode)
        if strength > 0:
            scaled = (mode / strength).reshape(centred.shape[1:])
            power = power + strength**exponent * fourier.half_plane_power(scaled).sum(axis=0)
    return power + np.zeros((centred.shape[-1], centred.shape[-1] // 2 + 1))
