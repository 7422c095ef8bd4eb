"""What a complexity measure returns: a value with its standard error, and how many things it is about."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NAN = float("nan")


class Estimate(NamedTuple):
    """A value, its standard error over images (NaN where none is defined), and how many things it is a mean of."""

    value: float
    standard_error: float = NAN
    n: int = 0


def mean_error(each: np.ndarray) -> float:
    """Return the standard error of a mean over images; NaN for fewer than two.

    >>> mean_error(np.array([1.0, 3.0])), mean_error(np.array([1.0]))
    (1.0, nan)
    """
    return float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else NAN
