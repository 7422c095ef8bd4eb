"""Heatmap: one tier's priority over training, steps × rings (METHODS 3, L[k, r] = S_k(r))."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import Stroke
from matplotlib.ticker import MaxNLocator

from ..errors import InputError
from .shown import sources
from .style import ONE_COLUMN, SHARE_COLOURS, canvas, frame, plural, styled, training_axis
from .tables import Tables

SHARE_LABEL = "share of power in the ring"


@styled
def draw(tables: Tables, tier: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one tier's share per ring over training, with its centroid.

    Parameters
    ----------
    tables : Tables
    tier : str
        Name of a tier.

    Returns
    -------
    figure : Figure
    data : DataFrame
        tier, step, ring (cycles/image), cycles_per_pixel, share (mean over runs), centroid (of the step), runs.

    Raises
    ------
    InputError
        Where the tier has no profiles.
    """
    data = shares_over_training(tables, tier)
    figure = canvas(ONE_COLUMN, 62)
    axes = figure.subplots()
    mesh = paint(axes, data, Normalize(0, data["share"].max()))
    training_axis(axes, data["step"].tolist())
    axes.set_ylabel("spatial frequency (cycles/image)")
    size = round((data["ring"] / data["cycles_per_pixel"]).iloc[0])
    per_pixel = axes.secondary_yaxis(1.0, functions=(lambda ring: ring / size, lambda cycles: cycles * size))
    per_pixel.set_ylabel("cycles/pixel")
    figure.colorbar(mesh, ax=axes, label=SHARE_LABEL, pad=0.02)
    runs = int(data["runs"].iloc[0])
    frame(
        figure,
        f"{tier}: the centroid {change(data)} cycles/image",
        f"Columns are checkpoints; the first is the untrained model (step 0). Colour: mean share of gradient power "
        f"over {plural(runs, 'seed')}; line: centroid of that mean; no interval. {sources(tables.study)}",
    )
    return figure, data


def shares_over_training(tables: Tables, tier: str) -> pd.DataFrame:
    """Return the mean share over a tier's runs, a row per step and ring, with the centroid of each step.

    Steps that not every run has are left out, so that all columns are means over the same runs.
    """
    rows = tables.profiles[tables.profiles["tier"] == tier]
    if rows.empty:
        raise InputError(f"profiles.h5: tier {tier!r}", "has no profile of the primary recipe and instance")
    data = rows.groupby(["step", "ring"], as_index=False).agg(
        share=("share", "mean"), runs=("seed", "nunique"), size=("size", "first")
    )
    data = data[data["runs"] == data["runs"].max()]
    centroid = (data["ring"] * data["share"]).groupby(data["step"]).sum() / data.groupby("step")[
        "share"
    ].sum()
    return pd.DataFrame(
        {
            "tier": tier,
            "step": data["step"],
            "ring": data["ring"],
            "cycles_per_pixel": data["ring"] / data["size"],
            "share": data["share"],
            "centroid": data["step"].map(centroid),
            "runs": data["runs"],
        }
    ).reset_index(drop=True)


def change(data: pd.DataFrame) -> str:
    """Say how the centroid changes between the untrained model and the last checkpoint.

    >>> change(pd.DataFrame({"step": [0, 9], "centroid": [4.0, 6.0]}))
    'rises from 4.0 (untrained) to 6.0'
    """
    by_step = data.drop_duplicates("step").sort_values("step")
    first, last = by_step["centroid"].iloc[0], by_step["centroid"].iloc[-1]
    start = " (untrained)" if by_step["step"].iloc[0] == 0 else ""
    if f"{first:.1f}" == f"{last:.1f}":
        return f"stays at {last:.1f}"
    return f"{'rises' if last > first else 'falls'} from {first:.1f}{start} to {last:.1f}"


def paint(axes: Axes, data: pd.DataFrame, scale: Normalize) -> QuadMesh:
    """Paint shares and their centroid line into axes; return the mesh, for the colour bar."""
    shares = data.pivot(index="ring", columns="step", values="share")
    rings, steps = shares.index.to_numpy(), shares.columns.to_numpy(dtype=float)
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    mesh = axes.pcolormesh(
        _edges(steps),
        np.append(rings - 0.5, rings[-1] + 0.5),
        shares.to_numpy(),
        cmap=SHARE_COLOURS,
        norm=scale,
        rasterized=True,
    )
    centroid = data.drop_duplicates("step").sort_values("step")
    line = axes.plot(centroid["step"], centroid["centroid"], color="white", marker="o", markersize=2.2)[0]
    line.set_path_effects(
        [Stroke(linewidth=2.4, foreground="black"), Stroke(linewidth=1.2, foreground="white")]
    )
    if len(steps) > 1 and steps[0] == 0:  # the untrained model stands apart
        axes.axvline(_edges(steps)[1], color="white", linewidth=1.5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))
    axes.set_xlim(_edges(steps)[0], _edges(steps)[-1])
    return mesh


def _edges(steps: np.ndarray) -> np.ndarray:
    """Edges of the columns: halfway between checkpoints on log(1 + step)."""
    place = np.log1p(steps)
    if len(place) == 1:
        return np.expm1([place[0] - 0.3, place[0] + 0.3])
    middle = (place[1:] + place[:-1]) / 2
    first, last = min(middle[0] - place[0], 0.4), place[-1] - middle[-1]
    return np.expm1(np.concatenate([[place[0] - first], middle, [place[-1] + last]]))
