"""Gradient spectra as two published programs compute them, quirks included, so that their figures can be compared.

Each image's scale cancels in both, so it makes no difference whether gradients are of the batch-mean loss (as in the
programs), of single losses or of the margin m (METHODS 3).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .. import fourier


def freqbias_spectrum(gradients: np.ndarray) -> np.ndarray:
    """Amplitude profile of each input gradient as the released grad.py of Lin, Gao and Sang computes it.

    Quirks: channels are summed before the transform; amplitude, not power; ring means about (N−1)/2, half a pixel off
    the true centre; the radius is cut to an integer, and the first and last radius are dropped; each image is
    scaled to [0, 1] by its own minimum and maximum, so that absolute size is lost. The published heat map is the
    mean over images, scaled again by `freqbias_heatmap`.

    Parameters
    ----------
    gradients : ndarray (n, channel, N, N)
        Gradients of the loss with respect to pixels.

    Returns
    -------
    ndarray (n, rings) float64
        20 rings for N = 32, 43 for 64, 156 for 224. NaN where all are alike and can't be scaled: for a gradient of zero
        or one whose channels cancel, and below 6 pixels, where there is one ring.

    Raises
    ------
    ValueError
        For images that are not square.

    Notes
    -----
    Lin, Gao, Sang 2022, arXiv 2205.03154; METHODS 3, `legacy: freqbias`.

    Examples
    --------
    >>> freqbias_spectrum(np.random.default_rng(0).normal(size=(2, 3, 32, 32))).shape
    (2, 20)
    """
    size = fourier.check_square(gradients.shape)
    amplitude = np.abs(np.fft.fft2(np.asarray(gradients, dtype=np.float64).sum(axis=1)))
    profile = amplitude.reshape(-1, size**2) @ _off_centre_mean(size)
    low, high = profile.min(axis=1, keepdims=True), profile.max(axis=1, keepdims=True)
    return (profile - low) / np.where(high > low, high - low, np.nan)


def freqbias_heatmap(profiles: np.ndarray) -> np.ndarray:
    """Scale mean profiles of all epochs, (epoch, ring), to [0, 1] by their common minimum and maximum.

    The last step of the published heat map: apply it to `legacy` of a swept data set.

    >>> freqbias_heatmap(np.array([[0.2, 0.4], [0.6, 0.4]])).round(2).tolist()
    [[0.0, 0.5], [1.0, 0.5]]
    """
    profiles = np.asarray(profiles, dtype=np.float64)
    low, high = profiles.min(), profiles.max()
    if low == high:
        raise ValueError("all profiles are equal and constant: they can't be scaled to [0, 1]")
    return (profiles - low) / (high - low)


def fourier_sensitivity_spectrum(gradients: np.ndarray) -> np.ndarray:
    """Power profile of each input gradient as the released notebook of Krishnamachari et al. computes it.

    Quirks: channels are averaged before the transform; corners are kept (23 rings for N = 32, 158 for 224); images of
    odd size get a row and a column of zeros. Otherwise as the measure proper: orthonormal transform, power, rounded
    radius about the true centre, no DC, ring sums divided by their sum.

    Parameters
    ----------
    gradients : ndarray (n, channel, N, N)
        Gradients of the loss with respect to pixels.

    Returns
    -------
    ndarray (n, rings) float64
        Each row sums to 1; NaN where there is no power outside DC.

    Raises
    ------
    ValueError
        For images that are not square.

    Notes
    -----
    Krishnamachari et al. 2022, arXiv 2301.13514; METHODS 3, `legacy: fourier-sensitivity`. They call rings up to N/6
    low and up to N/3 mid, as `fourier.bands` does.

    Examples
    --------
    >>> fourier_sensitivity_spectrum(np.random.default_rng(0).normal(size=(2, 3, 32, 32))).shape
    (2, 23)
    """
    size = fourier.check_square(gradients.shape)
    mean = np.asarray(gradients, dtype=np.float64).mean(axis=1)
    if size % 2:
        mean = np.pad(mean, ((0, 0), (0, 1), (0, 1)))
    profile = fourier.radial_sum(fourier.half_plane_power(mean), corners=True)
    total = profile.sum(axis=1, keepdims=True)
    return profile / np.where(total > 0, total, np.nan)


LEGACY = {"freqbias": freqbias_spectrum, "fourier-sensitivity": fourier_sensitivity_spectrum}
"""By the name that the option `legacy` takes."""


@cache
def _off_centre_mean(size: int) -> np.ndarray:
    """Ring means about (N−1)/2 of the shifted full plane, as a matrix for an unshifted one; first and last left out."""
    axis = np.fft.ifftshift(np.arange(size) - (size - 1) / 2)
    radius = np.hypot(axis[:, None], axis[None, :]).astype(int).ravel()
    belongs = radius[:, None] == np.arange(1, radius.max())
    return belongs / belongs.sum(axis=0)
