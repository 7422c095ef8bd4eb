"""How distinctive the spectrum of a class is among the classes of a task, and at which frequencies (METHODS 5).

Two definitions stand beside each other. Wang et al. 2023 (arXiv 2307.09829) look at ADCS, which counts signs: a class
is distinctive where it is above, or below, all others, by however little. The contrast asks by how much it differs from
the usual class. Both are averaged over rings, so that each ring counts the same: over frequencies, half of the number
would be about rings above 0.35 N, for there are more frequencies in large rings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..fourier import radial_matrix, ring_sizes
from .adcs import adcs

FLOOR = 1e-3 / 255
"""Smallest amplitude that a ratio is taken of: a thousandth of a grey level, below what rounding of pixels adds."""


def class_distinctiveness(maps: xr.Dataset, classes: Sequence[str]) -> pd.DataFrame:
    """Return how distinctive the spectra of classes are among each other.

    Parameters
    ----------
    maps : xarray.Dataset
        adcs.h5: `amplitude` on (class, u, v) in FFT order, E_c in METHODS 5.
    classes : sequence of str
        Two or more classes of the task; the others of the data set play no part.

    Returns
    -------
    DataFrame
        A row per class, in their order.
        `distinctiveness`: mean over rings 1 … ⌊N/2⌋ of the ring's mean of |ADCS_c| ÷ (C − 1), from 0 to 1, no unit. It
        is not 0 for classes that differ by sampling noise alone, but C ÷ 2(C − 1) for even C and (C + 1) ÷ 2C for odd:
        0.67 for four classes, and always 1 for two.
        `contrast`: mean over rings of the ring's mean of |ln E_c − median of ln E_j over the other classes|, in
        nepers: 0.69 is a factor of two at every frequency.
        `frequency`: centroid of that contrast over rings in cycles/image, NaN for a class without any contrast.

    Raises
    ------
    InputError
        For a class that the maps don't hold, and for fewer than two classes.
    """
    known = [str(name) for name in maps["class"].values]
    strangers = [name for name in classes if name not in known]
    if strangers:
        raise InputError(
            "adcs.h5",
            f"holds no class {', '.join(strangers[:5])}",
            "classes with two or more training images that are not constant",
        )
    if len(classes) < 2:
        raise InputError("adcs.h5", f"{len(classes)} class has nothing to differ from", "two or more classes")
    amplitude = maps["amplitude"].sel({"class": list(classes)}).values
    size = amplitude.shape[-1]
    half = amplitude[..., : size // 2 + 1]
    signs = _ring_means(np.abs(adcs(half)) / (len(classes) - 1))
    contrast = _ring_means(np.abs(log_ratio(half)))
    with np.errstate(invalid="ignore"):
        frequency = contrast @ np.arange(1, size // 2 + 1) / contrast.sum(axis=1)
    return pd.DataFrame(
        {
            "class": list(classes),
            "distinctiveness": signs.mean(axis=1),
            "contrast": contrast.mean(axis=1),
            "frequency": frequency,
        }
    )


def log_ratio(amplitude: np.ndarray) -> np.ndarray:
    """Return ln E_c − median over j ≠ c of ln E_j, the same shape (class, …); amplitudes below FLOOR count as FLOOR.

    >>> log_ratio(np.array([[np.e], [1.0], [1.0], [0.0]])).round(2).tolist()
    [[1.0], [0.0], [0.0], [-12.45]]
    """
    logs = np.log(np.maximum(amplitude, FLOOR))
    usual = [np.median(np.delete(logs, number, axis=0), axis=0) for number in range(len(logs))]
    return logs - np.stack(usual)


def _ring_means(values: np.ndarray) -> np.ndarray:
    """Mean over the frequencies of each kept ring: (class, N, N//2 + 1) → (class, ring)."""
    size = values.shape[-2]
    return values.reshape(len(values), -1) @ radial_matrix(size) / ring_sizes(size)
