"""Arrays as short text inside a page: two bytes a number, and which checkpoints of many are kept."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

LEVELS, MISSING = 65534, 65535
"""A number is stored as a whole number of steps, 0 … LEVELS, of the largest one; MISSING stands for none."""


def packed(values: np.ndarray) -> dict[str, Any]:
    """Write numbers that are not negative as text; the largest rounding error is half a step.

    Parameters
    ----------
    values : ndarray
        NaN where there is no number.

    Returns
    -------
    dict
        `shape`, `top` (the largest number) and `data` (unsigned 16-bit, little-endian, base64).

    Raises
    ------
    ValueError
        For a negative or an infinite number.

    Examples
    --------
    >>> stored = packed(np.array([0.0, 0.5, np.nan]))
    >>> stored["shape"], stored["top"], unpacked(stored).tolist()
    ([3], 0.5, [0.0, 0.5, nan])
    """
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    if np.isinf(values).any() or (values[known] < 0).any():
        raise ValueError("only numbers from 0 on can be packed")
    top = float(values[known].max(initial=0.0))
    whole = np.full(values.shape, MISSING, dtype="<u2")
    whole[known] = np.rint(values[known] / (top or 1.0) * LEVELS)
    return {
        "shape": list(values.shape),
        "top": top,
        "data": base64.b64encode(whole.tobytes()).decode(),
    }


def unpacked(stored: dict[str, Any]) -> np.ndarray:
    """Read what `packed` wrote, as the page's script does it; float64."""
    whole = np.frombuffer(base64.b64decode(stored["data"]), dtype="<u2").reshape(stored["shape"])
    return np.where(whole == MISSING, np.nan, whole / LEVELS * stored["top"])


def kept_checkpoints(steps: np.ndarray, most: int) -> np.ndarray:
    """Choose checkpoints: the first, the last, and between them evenly on log(1 + step).

    Parameters
    ----------
    steps : ndarray (checkpoint,)
        Ascending.
    most : int
        How many may be kept, 2 or more.

    Returns
    -------
    ndarray of int
        Places in `steps`, ascending.

    Examples
    --------
    >>> kept_checkpoints(np.array([0, 10, 100, 1000]), 9).tolist()
    [0, 1, 2, 3]
    >>> kept_checkpoints(np.array([0, 1, 2, 3, 10, 100, 900, 1000]), 3).tolist()
    [0, 4, 7]
    """
    if len(steps) <= most:
        return np.arange(len(steps))
    place = np.log1p(np.asarray(steps, dtype=np.float64))
    wanted = np.linspace(place[0], place[-1], most)
    nearest = np.abs(place[:, None] - wanted).argmin(axis=0)
    return np.unique(np.concatenate([[0], nearest, [len(steps) - 1]]))
