"""Bootstrap intervals of a slope: draws are resampled as pairs, then the seeds inside each (METHODS 9).

From ten draws on, beside the t interval, where draws are not nested. Levels are never resampled one by one: a slope's
interval would hold it in 72 to 84 % of studies only, for few draws per level say little of their spread.
"""

from __future__ import annotations

import numpy as np

FEWEST_RESAMPLED = 10
"""Fewest draws for a bootstrap interval."""
MOST_NUMBERS = 1 << 21
"""Resampled values in memory at once."""


def bootstrap_slopes(
    x: np.ndarray, y: np.ndarray, resamples: int = 999, seed: int = 0, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return percentile intervals of least-squares slopes, resampling draws and then the seeds inside each.

    The percentiles are as far out as the t quantile on draws − 2 degrees of freedom is, Φ(±t), not Φ(±1.96): plain 95 %
    percentiles hold the slope in 92 % of simulated studies of ten draws, these in 97 % (15 draws: 93 and 94 %; 31: 94
    and 94 %). Hesterberg 2015, "What teachers should know about the bootstrap", expands them by √(n ÷ (n − 1)) more;
    with seeds resampled, too, that is too much.

    Parameters
    ----------
    x : ndarray (draw,)
        Complexity.
    y : ndarray (draw, seed, column)
        Priority of each run; NaN where a draw has fewer seeds than others (the same in all columns).
    resamples, seed : int
        Their number and their seed. A resample whose draws all have the same x is left out.
    confidence : float
        Level of the intervals.

    Returns
    -------
    lower, upper : ndarray (column,)

    Examples
    --------
    >>> x = np.arange(12.0)
    >>> y = (2 * x + np.sin(9 * x))[:, None, None]
    >>> lower, upper = bootstrap_slopes(x, y)
    >>> bool(lower[0] < 2 < upper[0]), bool(upper[0] - lower[0] < 0.5)
    (True, True)
    """
    # Half a second, which studies with few draws needn't pay.
    from scipy.stats import norm
    from scipy.stats import t as student

    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    there = np.isfinite(y[:, :, 0])
    order = np.argsort(~there, axis=1, kind="stable")  # a draw's runs first
    y = np.nan_to_num(np.take_along_axis(y, order[:, :, None], axis=1))
    runs = there.sum(axis=1)
    random = np.random.default_rng(seed)
    draw = random.integers(0, len(x), (resamples, len(x)))
    inside = (random.random((*draw.shape, y.shape[1])) * runs[draw][..., None]).astype(np.int64)
    counts = np.arange(y.shape[1]) < runs[draw][..., None]
    slopes = np.full((resamples, y.shape[2]), np.nan)
    step = max(1, MOST_NUMBERS // y.size)
    for start in range(0, resamples, step):
        part = slice(start, start + step)
        chosen = y[draw[part][..., None], inside[part]]  # (resample, draw, seed, column)
        means = (chosen * counts[part][..., None]).sum(axis=2) / runs[draw[part]][..., None]
        deviation = x[draw[part]] - x[draw[part]].mean(axis=1, keepdims=True)
        spread = (deviation**2).sum(axis=1)
        varies = spread > 1e-12 * ((x - x.mean()) ** 2).sum()
        found = np.einsum("bd,bdc->bc", deviation, means)[varies] / spread[varies, None]
        slopes[np.arange(resamples)[part][varies]] = found
    tail = norm.sf(student.ppf((1 + confidence) / 2, len(x) - 2))
    lower, upper = np.nanquantile(slopes, [tail, 1 - tail], axis=0)
    return lower, upper
