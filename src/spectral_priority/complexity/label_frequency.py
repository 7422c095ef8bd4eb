"""LFR, the label low-frequency ratio: how smooth the labels are as a function of the images (METHODS 7).

The filter, its widths and the centred labels are those of the measure `fprinciple` (METHODS 4), in NumPy: no model, so
no torch. Response frequency, not spatial frequency.
"""

from __future__ import annotations

import logging

import numpy as np

from ..measures.draws import jackknife_groups
from ..measures.profile import jackknife_error
from .estimate import NAN, Estimate

QUANTILES = (0.001, 0.01, 0.05, 0.25)
"""Quantiles of the squared distances of all pairs that are the filters' variances δ, as in `fprinciple`."""
NAMES = tuple(f"lfr_{100 * quantile:g}" for quantile in QUANTILES)
"""Measures, by their quantile in percent."""


def label_low_ratios(features: np.ndarray, label: np.ndarray) -> dict[str, Estimate]:
    """Return LFR(δ) = Σ‖y_low‖² ÷ Σ‖y‖² of the labels for each δ, from 0 to 1. Harder when lower; unit 1.

    y is one-hot and centred by class frequency; y_low = K y with K_ij ∝ exp(−‖x_i − x_j‖² ÷ 2δ), rows summing to 1. It
    is near 1 where near images share a label, and near 0 where the label changes from image to image.

    Parameters
    ----------
    features : ndarray (image, component)
        A sample of the training images; (images)² numbers are in memory.
    label : ndarray (image,) int

    Returns
    -------
    dict of Estimate
        `lfr_0.1`, `lfr_1`, `lfr_5`, `lfr_25`, by the quantile of δ in percent, with the jackknife's standard error over
        images (20 groups, δ fixed). NaN for a single class and for images that are all the same.

    Notes
    -----
    After Xu et al. 2019 (arXiv 1901.06523), whose filter it is. Widths are quantiles of the task's own distances:
    with a fixed δ the high part vanishes.

    Examples
    --------
    >>> x = np.arange(40.0)[:, None]
    >>> smooth, rough = (label_low_ratios(x, y)["lfr_0.1"].value for y in (np.arange(40) // 20, np.arange(40) % 2))
    >>> smooth > 0.9, rough < 0.1
    (True, True)
    """
    number = len(label)
    group = jackknife_groups(np.arange(number))
    order = np.argsort(group, kind="stable")  # groups one after the other: slices, which need no copy
    ends = np.cumsum(np.bincount(group))
    groups = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    _, label, counts = np.unique(np.asarray(label)[order], return_inverse=True, return_counts=True)
    features = np.asarray(features, dtype=np.float64)[order]
    features -= features.mean(axis=0)
    squared = (features**2).sum(axis=1)
    squared = np.maximum(squared[:, None] + squared - 2 * features @ features.T, 0)
    squared[squared <= 1e-12 * squared.max(initial=0)] = 0  # rounding of equal images
    pairs = squared[np.triu_indices(number, 1)]
    if len(counts) < 2 or not pairs.any():
        reason = "there is a single class" if len(counts) < 2 else "all images are the same"
        logging.warning("label_low_ratios: %s; left empty", reason)
        return {name: Estimate(NAN, n=number) for name in NAMES}
    target = np.eye(len(counts))[label]
    found = {}
    for name, variance in zip(NAMES, np.quantile(pairs, QUANTILES), strict=True):
        weight = np.exp(squared / (-2 * variance)) if variance > 0 else (squared == 0).astype(float)
        ratios = low_ratios(weight, target, groups)
        error = float(jackknife_error(ratios[1:])) if np.isfinite(ratios[1:]).all() else NAN
        found[name] = Estimate(float(ratios[0]), error, number)
    return found


def low_ratios(weight: np.ndarray, target: np.ndarray, groups: list[slice]) -> np.ndarray:
    """Return the ratio of all images, then without each group, (1 + group,); NaN where one label is left.

    Parameters
    ----------
    weight : ndarray (image, image)
        Of the filter; rows not normalised.
    target : ndarray (image, class)
        One-hot labels.
    groups : list of slice
        Images of each group.
    """
    with_sums = np.concatenate([target, np.ones((len(target), 1))], axis=1)
    sums = weight @ with_sums
    found = []
    for out in [slice(0, 0), *groups]:
        low = sums - weight[:, out] @ with_sums[out]
        kept = np.ones(len(target), dtype=bool)
        kept[out] = False
        share = target[kept].mean(axis=0)
        low = low[kept, :-1] / low[kept, -1:] - share
        whole = ((target[kept] - share) ** 2).sum()
        found.append((low**2).sum() / whole if whole > 0 else NAN)
    return np.array(found)
