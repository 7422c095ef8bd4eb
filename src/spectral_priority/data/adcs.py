"""ADCS: at which frequencies a class stands out from the other classes of a data set (METHODS 5). No model is involved.

Question
--------
At which frequencies do the images of a class have more, or less, amplitude than those of the other classes?

Equation
--------
E_c(u,v) = mean_{i in c} mean_channel |FFT2(x_i)|
ADCS_c(u,v) = Σ_{j ≠ c} sign(E_c − E_j), from 1 − C to C − 1 for C classes

Source
------
Wang et al. 2023 (arXiv 2307.09829).

Cost
----
No model. Made from the transforms of `psd`; C² comparisons per frequency.

Pitfalls
--------
- Only signs count: classes that differ by sampling noise alone have scores, too, and there is no standard error. Look
  at `amplitude` and `images`.
- The range grows with the number of classes: divide by C − 1 before comparing data sets.
- `legacy` sums amplitudes instead of averaging them: a class with more images stands out everywhere.
"""

from __future__ import annotations

import numpy as np

LUMA = np.array([0.2989, 0.587, 0.114])
"""Weights of red, green and blue in the released program."""
ZERO_AMPLITUDE = 12e-12
"""What the released program puts in the place of an amplitude that is exactly zero."""


def adcs(amplitude: np.ndarray) -> np.ndarray:
    """Return ADCS_c(u,v) = Σ_{j≠c} sign(E_c − E_j), from 1−C (weakest of all classes) to C−1 (strongest).

    Parameters
    ----------
    amplitude : ndarray (class, …)
        E_c, the mean amplitude |F_x| over the images of each class.

    Returns
    -------
    ndarray (class, …) int32

    Examples
    --------
    >>> adcs(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 1.0]])).tolist()
    [[-2, 1], [0, 1], [2, -2]]
    """
    smaller, larger = _counts(amplitude)
    return smaller - larger


def legacy_amplitude(amplitude: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the amplitudes of images normalised with (x − mean) ÷ std, as the released program takes them.

    Parameters
    ----------
    amplitude : ndarray (n, channel, N, N//2 + 1)
        Orthonormal amplitudes of images with pixels in [0, 1]. These have a DC term ≥ 0, so that its new value is
        |DC − N·mean| and no second transform is needed.
    mean, std : ndarray (channel,)

    Returns
    -------
    ndarray (n, channel, N, N//2 + 1)
        Unnormalised transform (N times the orthonormal one), zeros replaced by 12e-12.
    """
    size = amplitude.shape[-2]
    changed = amplitude * size
    changed[..., 0, 0] = np.abs(changed[..., 0, 0] - size**2 * mean)
    changed /= std[:, None, None]
    changed[changed == 0] = ZERO_AMPLITUDE
    return changed


def adcs_legacy(sums: np.ndarray) -> np.ndarray:
    """Return ADCS as the released program of the paper computes it, quirks included.

    nis-research/nn-frequency-shortcuts, compute_ADCS.py at 041196dc. Its quirks: images are normalised by mean and
    standard deviation first; amplitudes are summed over a class, not averaged, so a larger class wins everywhere; exact
    zeros become 12e-12; differences of classes are taken per channel and then weighted .2989, .587, .114; a difference
    of zero counts −1; and j = c is counted, so every score is lower by one, at least −C and at most C−2. The program
    shows maps with DC in the middle (`numpy.fft.fftshift`); here they are in the order of their input.

    Parameters
    ----------
    sums : ndarray (class, channel, …)
        Sums of `legacy_amplitude` over the images of each class. One channel is taken as it is.

    Returns
    -------
    ndarray (class, …) int32
    """
    weights = LUMA if sums.shape[1] == 3 else np.ones(sums.shape[1])
    # Weighted first and compared then: the sign of the weighted difference, but for differences of rounding.
    smaller, _ = _counts(np.einsum("c,kc...->k...", weights, sums))
    return 2 * smaller - len(sums)


def _counts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count at every place the classes with a smaller and with a larger value, by ranks: not class by class."""
    from scipy.stats import rankdata

    smaller = rankdata(values, method="min", axis=0).astype(np.int32) - 1
    larger = len(values) - rankdata(values, method="max", axis=0).astype(np.int32)
    return smaller, larger
