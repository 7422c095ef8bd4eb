"""The numbers behind the explorer: a line per tier, recipe and measure, mean over seeds with its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..config import Study, Tier
from ..fourier import bands
from .numbers import kept_checkpoints

MOST_SHARES, FEWEST_CHECKPOINTS, MOST_POINTS = 250_000, 12, 120
"""Shares that a page holds before checkpoints are left out (each takes 5 bytes with its error), the fewest checkpoints
that a line keeps, and the most of a learning curve."""

CURVES = ("validation_accuracy", "loss_fraction")
"""Columns of learning.csv that are shown."""


@dataclass(frozen=True)
class Line:
    """What the models of one tier and recipe respond to, by one measure.

    Attributes
    ----------
    tier : Tier
    recipe, instance : str
    size, seeds : int
        Image side in pixels; trainings that it is the mean of.
    steps, epochs : ndarray (checkpoint,)
    share, share_se : ndarray (checkpoint, ring)
        Mean and standard error: over seeds, or over images where there is one seed.
    bands, bands_se : ndarray (checkpoint, 3)
        Shares of the low, mid and high band; errors are NaN where there is one seed.
    centroid, centroid_se : ndarray (checkpoint,)
        Cycles/image.
    """

    tier: Tier
    recipe: str
    instance: str
    size: int
    seeds: int
    steps: np.ndarray
    epochs: np.ndarray
    share: np.ndarray
    share_se: np.ndarray
    bands: np.ndarray
    bands_se: np.ndarray
    centroid: np.ndarray
    centroid_se: np.ndarray


@dataclass(frozen=True)
class Curve:
    """How the models of one tier and recipe learn.

    Attributes
    ----------
    tier, recipe : str
    seeds : int
    chance : float
        Accuracy of always naming the most frequent class.
    steps, epochs : ndarray (checkpoint,)
    mean, error : dict of ndarray (checkpoint,)
        By the names of `CURVES`; errors over seeds, NaN where there is one.
    """

    tier: str
    recipe: str
    seeds: int
    chance: float
    steps: np.ndarray
    epochs: np.ndarray
    mean: dict[str, np.ndarray]
    error: dict[str, np.ndarray]


@dataclass(frozen=True)
class Explored:
    """What the explorer shows.

    Attributes
    ----------
    lines, curves : list
    checkpoints, of : int
        How many checkpoints of profiles are kept, and how many there are.
    """

    lines: list[Line]
    curves: list[Curve]
    checkpoints: int
    of: int


def explored(
    study: Study, profiles: xr.Dataset, learning: pd.DataFrame, most_shares: int = MOST_SHARES
) -> Explored:
    """Take means over seeds, and leave out checkpoints where there would be too many numbers for a page.

    Parameters
    ----------
    study : Study
    profiles : Dataset
        profiles.h5.
    learning : DataFrame
        learning.csv.
    most_shares : int
        Shares that are kept, as long as a line keeps `FEWEST_CHECKPOINTS`.
    """
    tiers = {tier.name: tier for tier in study.list_tiers()}
    rows = _rows(profiles)
    share, share_se = profiles["share"].values, profiles["share_se"].values
    groups = list(rows.groupby(["tier", "recipe", "instance"], sort=False))
    most = max(FEWEST_CHECKPOINTS, most_shares // max(1, len(groups) * share.shape[1]))
    lines = [_line(tiers[key[0]], *key[1:], found, share, share_se, most) for key, found in groups]
    order = {name: place for place, name in enumerate(tiers)}
    lines.sort(key=lambda line: (order[line.tier.name], list(study.recipes).index(line.recipe)))
    curves = [
        _curve(tier, recipe, found)
        for (tier, recipe), found in learning.groupby(["tier", "recipe"], sort=False)
    ]
    return Explored(
        lines,
        curves,
        sum(len(line.steps) for line in lines),
        sum(found["step"].nunique() for _, found in groups),
    )


def in_bands(share: np.ndarray, size: int) -> np.ndarray:
    """Sum shares over the low, mid and high band.

    Parameters
    ----------
    share : ndarray (…, ring)
        Of the rings 1, 2, …
    size : int
        Image side in pixels.

    Returns
    -------
    ndarray (…, 3)

    Examples
    --------
    >>> in_bands(np.full(16, 1 / 16), 32).tolist()
    [0.3125, 0.3125, 0.375]
    """
    masks = bands(size, corners=share.shape[-1] > size // 2)
    return np.stack([share[..., mask].sum(axis=-1) for mask in masks.values()], axis=-1)


def _rows(profiles: xr.Dataset) -> pd.DataFrame:
    names = ("tier", "recipe", "seed", "instance", "step", "epoch", "size")
    rows = pd.DataFrame({name: profiles[name].values for name in names})
    return rows.astype({"tier": str, "recipe": str, "instance": str, "seed": int, "step": int, "size": int})


def _line(
    tier: Tier,
    recipe: str,
    instance: str,
    rows: pd.DataFrame,
    share: np.ndarray,
    share_se: np.ndarray,
    most: int,
) -> Line:
    size = int(rows["size"].iloc[0])
    rings = int(np.isfinite(share[rows.index]).any(axis=0).sum())
    by_step = rows.groupby("step")
    steps = np.array(sorted(by_step.groups))
    steps = steps[kept_checkpoints(steps, most)]
    ring = np.arange(1, rings + 1)
    means, errors, shares, centroids = [], [], [], []
    for step in steps:
        places = by_step.groups[step]
        found = share[places, :rings].astype(np.float64)
        means.append(found.mean(axis=0))
        errors.append(_error(found) if len(found) > 1 else share_se[places[0], :rings])
        in_band = in_bands(found, size)
        shares.append((in_band.mean(axis=0), _error(in_band)))
        centroid = (found @ ring) / found.sum(axis=1)
        centroids.append((centroid.mean(), _error(centroid)))
    return Line(
        tier,
        recipe,
        instance,
        size,
        rows["seed"].nunique(),
        steps,
        by_step["epoch"].first().loc[steps].to_numpy(),
        np.stack(means),
        np.stack(errors),
        *(np.stack([pair[part] for pair in shares]) for part in (0, 1)),
        *(np.array([pair[part] for pair in centroids]) for part in (0, 1)),
    )


def _curve(tier: str, recipe: str, rows: pd.DataFrame) -> Curve:
    by_step = rows.groupby("step")
    steps = np.array(sorted(by_step.groups))
    steps = steps[kept_checkpoints(steps, MOST_POINTS)]
    mean, error = by_step[list(CURVES)].mean().loc[steps], by_step[list(CURVES)].sem().loc[steps]
    return Curve(
        str(tier),
        str(recipe),
        rows["seed"].nunique(),
        float(rows["chance"].iloc[0]),
        steps,
        by_step["epoch"].first().loc[steps].to_numpy(),
        {name: mean[name].to_numpy(dtype=np.float64) for name in CURVES},
        {name: error[name].to_numpy(dtype=np.float64) for name in CURVES},
    )


def _error(values: np.ndarray) -> np.ndarray:
    """Standard error of the mean over the first axis; NaN where it has one entry."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))
