"""Readings of a scalar over training: one number per run from its value at every checkpoint (METHODS 9).

Each reading is a weighted mean over checkpoints, so it is stored as its weights. Time is log(1 + step) throughout:
most change is in the first epochs, and steps are sampled densely there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

ACCURACY_LEVEL = 0.5
"""Chance-corrected validation accuracy of the reading `matched-accuracy` (exploratory)."""


@dataclass(frozen=True)
class Reading:
    """A reading of one run.

    Attributes
    ----------
    name : str
        `last`, `mean`, `matched-loss` or `matched-accuracy`.
    fraction : float or None
        Level at which runs are matched; None for `last` and `mean`.
    weights : ndarray (checkpoint,) or None
        They sum to 1; None where the run never reaches the level.
    """

    name: str
    fraction: float | None
    weights: np.ndarray | None

    @property
    def reached(self) -> bool:
        """Did the run reach the level?"""
        return self.weights is not None

    def of(self, values: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read scalars and their standard errors, both (checkpoint, scalar) → (scalar,).

        All checkpoints see the same probe images, so their errors go up and down together. Standard errors are
        averaged with the same weights, which is exact for full correlation and an upper bound for any other.

        Examples
        --------
        >>> Reading("mean", None, np.array([0.25, 0.75])).of(np.array([[2.0], [4.0]]), np.array([[0.4], [0.8]]))
        (array([3.5]), array([0.7]))
        """
        if self.weights is None:
            nothing = np.full(values.shape[1], np.nan)
            return nothing, nothing
        used = self.weights > 0  # a checkpoint that plays no part can't spoil the reading
        return self.weights[used] @ values[used], self.weights[used] @ errors[used]


def readings(history: pd.DataFrame, fractions: Iterable[float]) -> list[Reading]:
    """Return every reading of a run: last, mean, matched loss at each fraction, matched accuracy.

    Parameters
    ----------
    history : DataFrame
        history.csv of the run; `step`, `loss_fraction` and `corrected_accuracy` are used.
    fractions : iterable of float
        Loss on fixed training images ÷ label entropy at which runs are matched.
    """
    step = history["step"].to_numpy(dtype=np.float64)
    last = np.zeros(len(step))
    last[-1] = 1.0
    found = [Reading("last", None, last), Reading("mean", None, mean_weights(step))]
    loss = history["loss_fraction"].to_numpy(dtype=np.float64)
    found += [Reading("matched-loss", fraction, crossing_weights(loss, fraction)) for fraction in fractions]
    accuracy = history["corrected_accuracy"].to_numpy(dtype=np.float64)
    weights = crossing_weights(-accuracy, -ACCURACY_LEVEL)
    return [*found, Reading("matched-accuracy", ACCURACY_LEVEL, weights)]


def mean_weights(step: np.ndarray) -> np.ndarray:
    """Return the weights of the mean over training: trapezoid rule over log(1 + step), (checkpoint,).

    >>> mean_weights(np.array([0, np.e - 1, np.e**3 - 1])).round(6).tolist()
    [0.166667, 0.5, 0.333333]
    """
    time = np.log1p(np.asarray(step, dtype=np.float64))
    if len(time) == 1:
        return np.ones(1)
    width = np.diff(time)
    weights = np.zeros(len(time))
    weights[:-1] += width / 2
    weights[1:] += width / 2
    return weights / width.sum()


def crossing_weights(falling: np.ndarray, level: float) -> np.ndarray | None:
    """Return the weights that interpolate where a quantity first falls to a level.

    The quantity is replaced by its running minimum; it and whatever is read are linear in log(1 + step) between the
    checkpoints before and after the first crossing, so the weights follow from the quantity alone. For a rising
    quantity give its negative and minus the level.

    Parameters
    ----------
    falling : ndarray (checkpoint,)
        The quantity. Values that are not finite (a diverged training) never cross.
    level : float
        The level.

    Returns
    -------
    ndarray (checkpoint,) or None
        Two neighbouring weights that sum to 1, or a single 1; None where the level is never reached.

    Examples
    --------
    >>> crossing_weights(np.array([1.0, 0.8, 0.4]), 0.5).round(6).tolist()
    [0.0, 0.25, 0.75]
    """
    falling = np.asarray(falling, dtype=np.float64)
    lowest = np.minimum.accumulate(np.where(np.isfinite(falling), falling, np.inf))
    below = np.flatnonzero(lowest <= level)
    if not below.size:
        return None
    after = below[0]
    weights = np.zeros(len(lowest))
    weights[after] = 1.0
    if after and np.isfinite(lowest[after - 1]):
        weights[after] = (lowest[after - 1] - level) / (lowest[after - 1] - lowest[after])
        weights[after - 1] = 1.0 - weights[after]
    return weights
