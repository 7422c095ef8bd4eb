"""What a swept measure says about time: half of a ring's change (METHODS 3), and when a band is learned (METHODS 4)."""

from __future__ import annotations

import numpy as np
import xarray as xr

THRESHOLD = 3.0
"""Standard errors that a ring's change must exceed for its time to be defined."""


def half_times(share: np.ndarray, error: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return when each ring first reaches half of its total change, interpolated in log(1 + step).

    Parameters
    ----------
    share, error : ndarray (checkpoint, ring)
        Profile over training and its standard errors.
    steps : ndarray (checkpoint,)
        Optimiser steps, ascending.

    Returns
    -------
    ndarray (ring,)
        Steps; NaN where the change from the first to the last checkpoint is not above three standard errors. The error
        of the change is √(se_first² + se_last²), too large rather than too small, for both are of the same images.

    Examples
    --------
    >>> share = np.array([[0.2, 0.3], [0.4, 0.3], [0.6, 0.3]])
    >>> half_times(share, np.full((3, 2), 0.01), np.array([0, 10, 100])).round(6).tolist()
    [10.0, nan]
    """
    change = share[-1] - share[0]
    defined = np.abs(change) > THRESHOLD * np.hypot(error[0], error[-1])
    times = np.full(len(change), np.nan)
    clock = np.log1p(steps)
    for ring in np.flatnonzero(defined):
        progress = (share[:, ring] - share[0, ring]) / change[ring]
        after = int(np.argmax(progress >= 0.5))
        part = (0.5 - progress[after - 1]) / (progress[after] - progress[after - 1])
        times[ring] = np.expm1(clock[after - 1] + part * (clock[after] - clock[after - 1]))
    return times


def with_half_times(swept: xr.Dataset) -> xr.Dataset:
    """Add to a swept data set the time to half of each ring's change, the order of rings by it, and their number.

    Parameters
    ----------
    swept : xarray.Dataset
        With `share` and `share_se` on (checkpoint, ring) and the coordinate `step`.

    Returns
    -------
    xarray.Dataset
        With `half_time` (ring) in steps, `half_time_rank` (ring), 1 = first, the same rank for equal times, both NaN
        where the ring did not change enough; `half_time_n` and `half_time_missing`, the numbers of rings that did and
        did not.
    """
    times = half_times(swept["share"].values, swept["share_se"].values, swept["step"].values)
    defined = np.isfinite(times)
    rank = np.full(len(times), np.nan)
    rank[defined] = 1 + np.searchsorted(np.sort(times[defined]), times[defined])
    threshold = f"where the change exceeds {THRESHOLD:g} standard errors"
    counted = {"missing_in": "half_time_missing"}
    return swept.assign(
        half_time=(
            "ring",
            times,
            {"units": "steps", "long_name": f"time to half of the ring's total change, {threshold}"}
            | counted,
        ),
        half_time_rank=("ring", rank, {"units": "1", "long_name": "order of rings by half_time"} | counted),
        half_time_n=((), int(defined.sum()), {"units": "rings", "long_name": "rings with a half_time"}),
        half_time_missing=(
            (),
            int((~defined).sum()),
            {"units": "rings", "long_name": "rings without a half_time"},
        ),
    )


def learning_times(accuracy: np.ndarray, error: np.ndarray, chance: float, steps: np.ndarray) -> np.ndarray:
    """Return the first checkpoint at which each band's accuracy is midway between chance and its final accuracy.

    Parameters
    ----------
    accuracy, error : ndarray (checkpoint, band)
        Accuracy over training and its standard errors.
    chance : float
        Accuracy of the best constant answer.
    steps : ndarray (checkpoint,)
        Optimiser steps, ascending.

    Returns
    -------
    ndarray (band,)
        Steps; NaN where the final accuracy is not above chance by three standard errors.

    Examples
    --------
    >>> accuracy = np.array([[0.5, 0.5], [0.7, 0.5], [0.9, 0.52]])
    >>> learning_times(accuracy, np.full((3, 2), 0.03), 0.5, np.array([0, 10, 100])).tolist()
    [10.0, nan]
    """
    gain = accuracy[-1] - chance
    learned = (gain > 0) & (gain >= THRESHOLD * error[-1])
    first = np.argmax(accuracy >= chance + gain / 2, axis=0)
    return np.where(learned, np.asarray(steps, dtype=np.float64)[first], np.nan)


def with_learning_times(swept: xr.Dataset) -> xr.Dataset:
    """Add to swept accuracies when each band is learned, and how many bands are and are not.

    Parameters
    ----------
    swept : xarray.Dataset
        With `accuracy` and `accuracy_se` on (checkpoint, filter), `chance`, and the coordinate `step`.

    Returns
    -------
    xarray.Dataset
        With `learning_time` (filter) in steps, NaN where a band is not learned; `learning_time_n` and
        `learning_time_missing`, the numbers of filters under which images are, and are not, learned.
    """
    times = learning_times(
        swept["accuracy"].values,
        swept["accuracy_se"].values,
        float(swept["chance"].values[-1]),
        swept["step"].values,
    )
    missing = int(np.isnan(times).sum())
    threshold = f"where that is {THRESHOLD:g} standard errors above chance"
    meaning = f"first checkpoint midway between chance and final accuracy, {threshold}"
    counted = {"learning_time_n": len(times) - missing, "learning_time_missing": missing}
    return swept.assign(
        learning_time=(
            "filter",
            times,
            {"units": "steps", "long_name": meaning, "missing_in": "learning_time_missing"},
        ),
        **{
            name: ((), number, {"units": "filters", "long_name": f"filters {said} a learning_time"})
            for (name, number), said in zip(counted.items(), ("with", "without"), strict=True)
        },
    )
