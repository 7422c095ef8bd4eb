"""The primary slopes beside the same with one covariate held: descriptive, for covariates are consequences (METHODS 9).

A task of more classes ends with another accuracy and loss because it has more classes: a slope that vanishes when
accuracy is held does not say that complexity plays no part. So there are no p values here, one covariate at a time, and
the unadjusted slope stands beside each.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..config.statistics import Statistics
from .least_squares import FEWEST_DRAWS, least_squares
from .mixed import runs_of_row
from .tables import ADJUSTED

OF_LEARNING = {"validation_accuracy": "1", "loss_fraction": "1"}
"""Covariates of learning, at the last checkpoint, mean over seeds; with their units."""
OF_IMAGES = ("psd_slope", "psd_centroid")
"""Covariates of the images, from complexity.csv."""
FEWEST = FEWEST_DRAWS + 1
"""Fewest draws for an adjusted interval: a covariate costs a degree of freedom."""
SAME = 1e-6
"""A part of a variance that is no more than rounding: complexity and covariate are the same thing."""


def adjusted(
    table: pd.DataFrame,
    priority: pd.DataFrame,
    complexity: pd.DataFrame,
    learning: pd.DataFrame,
    settings: Statistics,
) -> pd.DataFrame:
    """Return the slopes of the primary hypotheses with each covariate held, in every reading.

    Parameters
    ----------
    table : DataFrame
        correlations.csv, with `hypothesis`.
    priority, complexity, learning : DataFrame
        priority.csv, complexity.csv, learning.csv.
    settings : Statistics
        Confidence of the intervals.

    Returns
    -------
    DataFrame
        The columns ADJUSTED, a row per primary hypothesis × reading × covariate. Draws are the points; those without a
        covariate are left out of the unadjusted slope of that row, too.
    """
    rows = []
    for primary in table[table["hypothesis"].str.startswith("primary")].to_dict("records"):
        same = (table["scalar"] == primary["scalar"]) & (table["complexity"] == primary["complexity"])
        for name in ("family", "recipe", "instance"):
            same &= table[name] == primary[name]
        matched = np.isclose(table["fraction"].astype(float), primary["fraction"])
        same &= (table["reading"].isin(["last", "mean"])) | ((table["reading"] == "matched-loss") & matched)
        for row in table[same].to_dict("records"):
            runs = runs_of_row(row, priority, complexity)
            if runs.empty:
                continue  # correlations.csv says why
            points = runs.groupby("tier", sort=False)[["x", "y"]].mean()
            for covariate, (values, unit) in covariates(row, runs, complexity, learning).items():
                rows.append(
                    {
                        **{name: row[name] for name in ADJUSTED if name in row},
                        "hypothesis": primary["hypothesis"],
                        "covariate": covariate,
                        "covariate_unit": unit,
                        **held(points.assign(z=values), settings.confidence),
                    }
                )
    return pd.DataFrame(rows, columns=list(ADJUSTED))


def covariates(
    row: dict, runs: pd.DataFrame, complexity: pd.DataFrame, learning: pd.DataFrame
) -> dict[str, tuple[pd.Series, str]]:
    """Return each covariate by tier, of the runs that a row stands on, and its unit."""
    own = learning[(learning["recipe"] == row["recipe"]) & learning["tier"].isin(runs["tier"])]
    last = own.sort_values("step").groupby(["tier", "seed"], sort=False).last()
    last = last.loc[last.index.isin(list(zip(runs["tier"], runs["seed"], strict=True)))]
    found = {name: (last[name].groupby("tier").mean(), unit) for name, unit in OF_LEARNING.items()}
    for name in OF_IMAGES:
        values = complexity[complexity["measure"] == name].set_index("tier")
        unit = values["unit"].iloc[0] if len(values) else "1"
        found[name] = values["value"], unit
    return found


def held(points: pd.DataFrame, confidence: float = 0.95) -> dict[str, object]:
    """Return the slope of y on x, and the same with z held: least squares of y on x and z, t intervals.

    Parameters
    ----------
    points : DataFrame
        `x, y, z`, a row per draw.
    confidence : float

    Examples
    --------
    >>> points = pd.DataFrame({"x": [1.0, 2, 3, 4, 5, 6], "z": [1.0, 0, 1, 0, 0, 1]})
    >>> found = held(points.assign(y=2 * points.x - 3 * points.z))
    >>> round(found["adjusted_slope"], 6), round(found["covariate_slope"], 6)
    (2.0, -3.0)
    """
    from scipy.stats import t as student

    points = points.dropna()
    x, y, z = (points[name].to_numpy(float) for name in ("x", "y", "z"))
    found: dict[str, object] = {"draws": len(points), "confidence": confidence}
    if len(points) < 3 or not np.ptp(x) > 0:
        return {**found, "note": f"too few draws: {len(points)}; at least {FEWEST}"}
    line = least_squares(x, y[:, None], confidence)
    found |= {name: float(getattr(line, name)[0]) for name in ("slope", "lower", "upper")}
    x, y, z = x - x.mean(), y - y.mean(), z - z.mean()
    if not np.abs(z).max() > 1e-12 * max(1.0, np.abs(points["z"]).max()):
        return {**found, "note": "the covariate is the same for all draws"}
    together = float(x @ z / np.sqrt((x @ x) * (z @ z)))
    found["correlation"] = together
    if 1 - together**2 <= SAME:
        return {**found, "note": "complexity and covariate are the same up to a factor: neither can be held"}
    design = np.column_stack([x, z])
    coefficients = np.linalg.solve(design.T @ design, design.T @ y)
    found |= {"adjusted_slope": float(coefficients[0]), "covariate_slope": float(coefficients[1])}
    if len(points) < FEWEST:
        return {**found, "note": f"too few draws for an interval: {len(points)}; at least {FEWEST}"}
    freedom = len(points) - 3
    residual = ((y - design @ coefficients) ** 2).sum() / freedom
    reach = student.ppf((1 + confidence) / 2, freedom)
    reach *= np.sqrt(residual * np.linalg.inv(design.T @ design)[0, 0])
    return {
        **found,
        "adjusted_lower": float(coefficients[0] - reach),
        "adjusted_upper": float(coefficients[0] + reach),
        "note": "",
    }
