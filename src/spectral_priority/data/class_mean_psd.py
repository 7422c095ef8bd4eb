"""Class-mean PSD: at which spatial frequencies the mean images of a task's classes differ (METHODS 7).

Question
--------
At which spatial frequencies do the classes differ in their mean images: where could the simplest classifier look?

Equation
--------
P(r) = Σ_{(u,v) in ring r} Σ_c Σ_channel |FFT2(μ_c − μ)|²,   share(r) = P(r) ÷ Σ_{kept rings} P
μ_c: mean image of class c; μ: mean of all images. A plain sum: every class counts once, whatever its number of images.

Source
------
A standard definition: the between-class scatter by frequency.

Cost
----
No model. Images are read once; one transform per class, 21 times for the jackknife. Memory: 20 sums of pixels per
class, fewer (`jackknife_groups`) beyond 2 GiB.

Pitfalls
--------
- Means of few images differ by chance: `sampling_power` estimates how much of the power that is, and `sampling_share`
  is its part. Where it is large, the share is that of the images' own spectrum.
- Only mean images are seen: classes that differ in textures of random phase have equal means and no power here.
- Regrouped tasks have means of their own: the measure belongs to a task, not to a data set.
- With one class, or where means don't differ, powers and shares are zero, and the centroid is missing and counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from .. import fourier
from .class_means import ClassSums, class_sums, radial_spectrum


def class_mean_psd(images: Any, labels: Any, image_ids: Any = None) -> xr.Dataset:
    """Measure at which spatial frequencies the mean images of classes differ.

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
        On `ring` (cycles/image, with `frequency` in cycles/pixel): `share`; `power` in (pixel value)²; and
        `sampling_power`, the part of it that the finite number of images makes. Scalars: `centroid`, `sampling_share`,
        `dc_share`, `corner_share` (both of all power), `images`, `classes`, `jackknife_groups`. `<name>_se` is the
        standard error over images, by the jackknife. `<…>_missing` count numbers that are NaN.

    Raises
    ------
    InputError
        For images that are not square, pixels that are NaN or outside [0, 1], and parts that do not fit each other.

    Notes
    -----
    METHODS 7. Jackknife groups hold equally many images of each class, to one.

    Examples
    --------
    Two classes that differ by a wave of 3 cycles/image:

    >>> wave = np.broadcast_to(np.cos(2 * np.pi * 3 * np.arange(16) / 16) / 4, (16, 16))
    >>> labels = np.arange(40) % 2
    >>> images = 0.5 + labels[:, None, None, None] * wave
    >>> found = class_mean_psd(images, labels)
    >>> round(float(found.centroid), 6), round(float(found.share.sel(ring=3)), 6)
    (3.0, 1.0)
    """
    return class_mean_psd_of(class_sums(images, labels, image_ids))


def class_mean_psd_of(sums: ClassSums) -> xr.Dataset:
    """Measure sums of pixels that were added up elsewhere: `class_mean_psd` for images that don't fit in memory."""
    return radial_spectrum(
        sums, differences, "class-mean-psd", "(pixel value)²", sums.rounding(), sampling=True
    )


def differences(centred: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return Σ_c Σ_channel |FFT2|² of centred class means (class, channel, N, N): half plane (N, N//2 + 1)."""
    return sum(fourier.half_plane_power(mean).sum(axis=0) for mean in centred)
