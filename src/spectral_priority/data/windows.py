"""From values of any range to eight bits: the windows of medical images, on a scale of 0 = black to 1 = white."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def between(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map low … high to 0 … 1, and what lies outside to the ends; all 0 where low = high, and for NaN.

    >>> between(np.array([-5.0, 0.0, 5.0, 20.0, np.nan]), 0, 10).tolist()
    [0.0, 0.0, 0.5, 1.0, 0.0]
    """
    if not high > low:
        return np.zeros(values.shape)
    return np.nan_to_num(np.clip((values - low) / (high - low), 0, 1), nan=0.0)


def dicom_window(values: np.ndarray, centre: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Apply a window as a DICOM file means it (PS3.3, C.11.2.1.2 and C.11.2.1.3).

    Parameters
    ----------
    values : ndarray
    centre, width : float
    function : str
        `LINEAR`, whose ends are half a value off (width ≥ 1), `LINEAR_EXACT` or `SIGMOID`.

    Raises
    ------
    ValueError
        For a function or a width that the standard doesn't know.

    Examples
    --------
    >>> dicom_window(np.array([0.0, 2047.5, 4095.0]), 2048, 4096).round(4).tolist()
    [0.0, 0.5, 1.0]
    """
    if function == "LINEAR" and width >= 1:
        if width == 1:
            return (values > centre - 0.5).astype(float)
        return between(values, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)
    if function == "LINEAR_EXACT" and width > 0:
        return between(values, centre - width / 2, centre + width / 2)
    if function == "SIGMOID" and width > 0:
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    raise ValueError(f"window of width {width:g} and function {function}")


def eight_bit(values: np.ndarray, shown: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return values as uint8, by a function to 0 … 1 that is asked once per value where there are few of them.

    Parameters
    ----------
    values : ndarray
    shown : callable
        float64 values of any shape → 0 … 1.

    Examples
    --------
    >>> eight_bit(np.array([[-3, 7]], dtype=np.int16), lambda x: between(x, -3, 7)).tolist()
    [[0, 255]]
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        low = int(values.min())
        table = shown(np.arange(low, int(values.max()) + 1, dtype=np.float64))
        return np.rint(255 * table).astype(np.uint8)[values.astype(np.int32) - low]
    return np.rint(255 * shown(values.astype(np.float64))).astype(np.uint8)
