"""Ordinary least squares with t intervals, and the smallest slope that a design could have detected (METHODS 9)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST_DRAWS = 5
"""Fewest points for an interval or a p value."""
POWER = 0.8
"""Power at which the smallest detectable slope is given."""


@dataclass(frozen=True)
class Lines:
    """Least-squares lines through the same x, one per column of y; arrays (column,).

    Attributes
    ----------
    slope, r2 : ndarray
        NaN for r2 where y is constant or there are fewer than 3 points.
    standard_error, lower, upper, p : ndarray
        Of the slope; NaN below 5 points. p is two-sided, NaN where y is constant.
    detectable : ndarray
        Smallest detectable slope; NaN below 5 points.
    """

    slope: np.ndarray
    r2: np.ndarray
    standard_error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    p: np.ndarray
    detectable: np.ndarray


def least_squares(
    x: np.ndarray, y: np.ndarray, confidence: float = 0.95, chain: Sequence[Hashable] | None = None
) -> Lines:
    """Fit y = a + b·x by ordinary least squares, with t intervals for b on n − 2 degrees of freedom.

    With chains each has an intercept of its own, and there are n − chains − 1 degrees of freedom: what chains differ by
    is no error of a slope that every chain shows for itself (taken as an error it makes intervals that hold the slope
    in 99 % of studies and more). Chains in which x does not vary say nothing then.

    The smallest detectable slope is the b that a two-sided test at level 1 − confidence finds with a power of 80 %,
    given the residual standard deviation s and the spread of x: (t_{(1+confidence)/2} + t_{0.8}) · s ÷ √Σ(x − x̄)²,
    both t quantiles on n − 2 degrees of freedom (within 3 % of the exact noncentral t from n = 5 on).

    Parameters
    ----------
    x : ndarray (point,)
        At least two distinct values.
    y : ndarray (point, column)
        One column per line.
    confidence : float
        Level of the intervals.
    chain : sequence (point,), optional
        Which chain each point belongs to.

    Raises
    ------
    ValueError
        For a constant x, or one that is constant in every chain.

    Examples
    --------
    >>> lines = least_squares(np.array([1.0, 2, 3, 4, 5]), np.array([[2.0], [4], [6.5], [8], [10]]))
    >>> round(float(lines.slope[0]), 3), bool(lines.lower[0] < 2 < lines.upper[0])
    (2.0, True)
    """
    # Half a second, which those who want `FEWEST_DRAWS` alone needn't pay.
    from scipy.stats import t as student

    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    names = list(dict.fromkeys(chain)) if chain is not None else [None]
    member = np.array([names.index(own) for own in chain] if chain is not None else [0] * len(x))
    distinct = max((len(np.unique(x[member == number])) for number in range(len(names))), default=0)
    if distinct < 2:
        raise ValueError(f"x needs two distinct values, found {np.unique(x).tolist()}")
    varies = np.ptp(y, axis=0) > 0
    x, deviation = _centred(x[:, None], member)[:, 0], _centred(y, member)
    spread = (x**2).sum()
    slope = np.where(varies, x @ deviation / spread, 0.0)
    residual = ((deviation - np.outer(x, slope)) ** 2).sum(axis=0)
    freedom, unknown = len(x) - len(names) - 1, np.full(y.shape[1], np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = (deviation**2).sum(axis=0)
        r2 = np.where(varies, 1 - residual / total, np.nan) if freedom > 0 else unknown
        if len(x) < FEWEST_DRAWS or freedom < 1:
            return Lines(slope, r2, unknown, unknown, unknown, unknown, unknown)
        error = np.where(varies, np.sqrt(residual / freedom / spread), 0.0)
        p = np.where(varies, 2 * student.sf(np.abs(slope) / error, freedom), np.nan)
    reach = student.ppf((1 + confidence) / 2, freedom)
    detectable = (reach + student.ppf(POWER, freedom)) * error
    return Lines(slope, r2, error, slope - reach * error, slope + reach * error, p, detectable)


def _centred(values: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Values (point, column) minus the mean of their chain."""
    counts = np.bincount(member)[:, None]
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, member, values)
    return values - (sums / counts)[member]
