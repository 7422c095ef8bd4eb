"""From ring sums to a profile: shares, density and its scalars, each with a standard error (METHODS 3). NumPy only."""

from __future__ import annotations

import numpy as np

from .. import fourier

SCALARS = {
    "centroid": ("centroid of the gradient power share, Σ r·S(r)", "cycles/image"),
    "centroid_per_pixel": ("centroid of the gradient power share", "cycles/pixel"),
    "power_centroid": ("centroid of the power-weighted profile, Σ r·R(r)", "cycles/image"),
    "median_frequency": ("median frequency of the share, interpolated within its ring", "cycles/image"),
    "low_share": ("share of rings r ≤ N/6", "1"),
    "mid_share": ("share of rings N/6 < r ≤ N/3", "1"),
    "high_share": ("share of rings r > N/3", "1"),
    "slope": ("least-squares slope of log density on log ring", "1"),
    "slope_r2": ("coefficient of determination of the slope's fit", "1"),
    "entropy": ("entropy of the share ÷ log(number of rings); 1 = all rings alike", "1"),
    "top_share": ("share of power in the largest 5 % of frequencies; 0.05 = all alike", "1"),
}
"""Scalars of a profile: what each is, and its unit."""


def estimates(
    share: np.ndarray, power: np.ndarray, plane: np.ndarray, corners: bool
) -> dict[str, np.ndarray]:
    """Return everything that follows from mean spectra, for one set of means or several.

    Parameters
    ----------
    share : ndarray (…, ring)
        S(r): mean over images of each ring's share of an image's kept power.
    power : ndarray (…, ring)
        P(r): mean over images of ring power.
    plane : ndarray (…, N, N//2 + 1)
        Half-plane power, divided by each image's kept power, then averaged.
    corners : bool
        Are the rings beyond N/2 among those kept?

    Returns
    -------
    dict of ndarray
        `share, density, power, power_share` (…, ring) and every scalar of `SCALARS` (…).
    """
    size = plane.shape[-2]
    density = share / fourier.ring_sizes(size, corners)
    density = density / density.sum(axis=-1, keepdims=True)
    power_share = power / power.sum(axis=-1, keepdims=True)
    slope, r2 = fourier.log_log_slope(density)
    centroid = fourier.centroid(share)
    return {
        "share": share,
        "density": density,
        "power": power,
        "power_share": power_share,
        "centroid": centroid,
        "centroid_per_pixel": centroid / size,
        "power_centroid": fourier.centroid(power_share),
        "median_frequency": median_frequency(share),
        **{
            f"{band}_share": share[..., kept].sum(axis=-1)
            for band, kept in fourier.bands(size, corners).items()
        },
        "slope": slope,
        "slope_r2": r2,
        "entropy": entropy(share),
        "top_share": top_share(plane, corners),
    }


def median_frequency(share: np.ndarray) -> np.ndarray:
    """Return the frequency below which half of a ring profile (…, ring) lies, ring r taken as [r − ½, r + ½].

    >>> float(median_frequency(np.array([0.25, 0.5, 0.25])))
    2.0
    """
    share = share / share.sum(axis=-1, keepdims=True)
    reached = np.cumsum(share, axis=-1)
    at = np.argmax(reached >= 0.5, axis=-1)[..., None]
    here, up_to = np.take_along_axis(share, at, -1), np.take_along_axis(reached, at, -1)
    return (at + 1.5 - (up_to - 0.5) / here)[..., 0]


def entropy(share: np.ndarray) -> np.ndarray:
    """Return the entropy of a ring profile (…, ring) in nats ÷ log(number of rings); an empty ring adds nothing.

    >>> float(entropy(np.full(8, 1 / 8)))
    1.0
    """
    logarithm = np.log(share, where=share > 0, out=np.zeros_like(share))
    return -(share * logarithm).sum(axis=-1) / np.log(share.shape[-1])


def top_share(plane: np.ndarray, corners: bool = False, fraction: float = 0.05) -> np.ndarray:
    """Return the share of kept power that the largest `fraction` of frequencies holds: how concentrated it is.

    Frequencies of the full plane are counted; where the fraction ends inside a Hermitian pair, or between two whole
    frequencies, the last one counts in part. A carry-over of the K-spectral idea of Kanai et al. 2024
    (arXiv 2408.16261) to gradient power; their own equation is unknown.

    Parameters
    ----------
    plane : ndarray (…, N, N//2 + 1)
        Half-plane power at any scale.

    Examples
    --------
    >>> round(float(top_share(np.ones((8, 5)))), 3)
    0.05
    """
    size = plane.shape[-2]
    kept = (fourier.ring_of(size) >= 1) & (fourier.ring_of(size) <= fourier.rings(size, corners)[-1])
    weights = np.broadcast_to(fourier.hermitian_weights(size), kept.shape)[kept]
    power = plane[..., kept]
    wanted, whole = fraction * weights.sum(), power @ weights
    enough = min(int(np.ceil(wanted)), len(weights))  # none counts for less than one
    largest = np.argpartition(-power, enough - 1, axis=-1)[..., :enough]
    order = np.take_along_axis(largest, np.argsort(-np.take_along_axis(power, largest, -1), axis=-1), -1)
    power, weights = np.take_along_axis(power, order, -1), weights[order]
    before = np.cumsum(weights, axis=-1) - weights
    return (power * np.clip(wanted - before, 0, weights)).sum(axis=-1) / whole


def leave_one_out(sums: np.ndarray) -> np.ndarray:
    """From sums by group (group, …) make the total, then the total without each group: (1 + group, …).

    Added up, not taken from the total: where one group holds nearly all, the difference would be rounding error.
    """
    chosen = np.concatenate([np.ones((1, len(sums))), 1 - np.eye(len(sums))])
    return np.tensordot(chosen, sums, axes=1)


def jackknife_error(without: np.ndarray) -> np.ndarray:
    """Return the standard error from estimates that leave out one group each, (group, …); NaN for fewer than two.

    Examples
    --------
    For the mean and groups of one it is the usual standard error.

    >>> x = np.array([1.0, 2.0, 4.0, 9.0])
    >>> without = (x.sum() - x) / 3
    >>> bool(np.isclose(jackknife_error(without), x.std(ddof=1) / 2))
    True
    """
    groups = len(without)
    if groups < 2:
        return np.full(without.shape[1:], np.nan)
    return np.sqrt((groups - 1) / groups * ((without - without.mean(axis=0)) ** 2).sum(axis=0))


def standard_error(values: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean over the first axis; NaN for fewer than two values."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))
