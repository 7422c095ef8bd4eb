"""The spectrum of a task's images and of its class means, as single numbers (METHODS 7)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from .. import fourier
from ..data.adcs import adcs
from ..similarity.points import LEAST_SHARE
from .estimate import NAN, Estimate, mean_error

if TYPE_CHECKING:
    import xarray as xr

CHUNK = 256
"""Images that are transformed at once."""


def psd_slope(shares: np.ndarray, size: int) -> Estimate:
    """Return the log-log slope of the images' mean density profile (METHODS 3, scalars); unit 1. White noise has 0.

    Least squares of log D on log r over all kept rings, D(r) = mean share ÷ ring size.

    Parameters
    ----------
    shares : ndarray (image, ring)
        Radial share of each image, summing to 1; rows of NaN (constant images) are left out.
    size : int
        Side of the images in pixels.

    Returns
    -------
    Estimate
        With the standard error over images by the delta method; NaN where a ring holds no power in any image.
    """
    shares = _known("psd_slope", shares)
    mean = shares.mean(axis=0) if len(shares) else np.zeros(shares.shape[1])
    if not (mean > LEAST_SHARE).all():
        logging.warning("psd_slope: a ring holds no power in any image; left empty")
        return Estimate(NAN, n=len(shares))
    slope, _ = fourier.log_log_slope(mean / fourier.ring_sizes(size))
    ring = np.log(np.arange(1, shares.shape[1] + 1))
    weight = (ring - ring.mean()) / ((ring - ring.mean()) ** 2).sum()
    return Estimate(float(slope), mean_error(shares @ (weight / mean)), len(shares))


def psd_centroid(shares: np.ndarray) -> Estimate:
    """Return the centroid of the images' mean radial share, Σ r·S(r), in cycles/image (METHODS 3, scalars).

    Parameters
    ----------
    shares : ndarray (image, ring)
        Radial share of each image, summing to 1; rows of NaN (constant images) are left out.

    Examples
    --------
    >>> psd_centroid(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    Estimate(value=2.0, standard_error=1.0, n=2)
    """
    shares = _known("psd_centroid", shares)
    if not len(shares):
        return Estimate(NAN)
    each = fourier.centroid(shares)
    return Estimate(float(each.mean()), mean_error(each), len(shares))


def spectrum_centroid(spectrum: xr.Dataset) -> Estimate:
    """Return the centroid of a spectrum of class means (`class_mean_psd`, `pinson`), in cycles/image.

    Returns
    -------
    Estimate
        With the jackknife's standard error over images; NaN where class means don't differ.
    """
    return Estimate(float(spectrum.centroid), float(spectrum.centroid_se), int(spectrum.images))


def _known(measure: str, shares: np.ndarray) -> np.ndarray:
    known = np.isfinite(shares).all(axis=1)
    if not known.all():
        logging.warning("%s: %d constant images left out", measure, (~known).sum())
    return shares[known]


class ClassAmplitudes:
    """Sums of the images' Fourier amplitudes by class, of images that come in parts."""

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._sums: np.ndarray | None = None
        self._counts = np.zeros(classes, dtype=np.int64)

    def add(self, pixels: np.ndarray, label: np.ndarray) -> None:
        """Add images (n, y, x, channel) uint8 and their labels (n,)."""
        for start in range(0, len(pixels), CHUNK):
            part = np.moveaxis(pixels[start : start + CHUNK], 3, 1) / 255.0
            amplitude = np.sqrt(fourier.half_plane_power(part)).mean(axis=1)
            if self._sums is None:
                self._sums = np.zeros((self._classes, *amplitude.shape[1:]))
            np.add.at(self._sums, label[start : start + CHUNK], amplitude)
        self._counts += np.bincount(label, minlength=self._classes)

    def means(self) -> np.ndarray:
        """Return mean amplitudes (class, N, N//2 + 1); NaN for a class without images."""
        with np.errstate(invalid="ignore"):
            return self._sums / self._counts[:, None, None]

    @property
    def images(self) -> int:
        """How many images were added."""
        return int(self._counts.sum())


def adcs_share(amplitudes: ClassAmplitudes) -> Estimate:
    """Return in how many of the other classes' comparisons a class stands out: mean |ADCS| ÷ (k − 1), from 0 to 1.

    Averaged over classes and over rings 1 … ⌊N/2⌋ of the ring's mean. Harder when lower; unit 1. Only signs count:
    classes that differ by sampling noise alone have k ÷ 2(k − 1) for even k and (k + 1) ÷ 2k for odd, and two classes
    always have 1, so compare tasks of equally many classes.

    Returns
    -------
    Estimate
        Without a standard error; `n` counts images. NaN for a single class.

    Notes
    -----
    ADCS is that of Wang et al. 2023 (arXiv 2307.09829), of the task's training images under its labels.
    """
    mean = amplitudes.means()
    if len(mean) < 2 or np.isnan(mean).any():
        logging.warning("adcs_share: a class has no image, or there is a single class; left empty")
        return Estimate(NAN, n=amplitudes.images)
    scores = np.abs(adcs(mean)).reshape(len(mean), -1) / (len(mean) - 1)
    size = mean.shape[-2]
    rings = scores @ fourier.radial_matrix(size) / fourier.ring_sizes(size)
    return Estimate(float(rings.mean()), n=amplitudes.images)
