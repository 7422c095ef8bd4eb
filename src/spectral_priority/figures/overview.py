"""Heatmaps: the priority over training of all tiers side by side, on one colour scale."""

from __future__ import annotations

import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .heatmap import SHARE_LABEL, change, paint, shares_over_training
from .shown import sources
from .style import frame, grid, plural, styled, training_axis
from .tables import Tables

MOST = 24
"""Panels that fit a page with readable text."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a heatmap per tier, controls included; first draws first where there are too many.

    Returns
    -------
    figure : Figure
    data : DataFrame
        As of the single heatmap, for the tiers shown.
    """
    tiers = tables.study.list_tiers()
    present = set(tables.profiles["tier"])
    tiers = [tier for tier in tiers if tier.name in present]
    first = sorted(tiers, key=lambda tier: tier.draw)[:MOST]
    shown = [tier.name for tier in tiers if tier in first]
    data = pd.concat([shares_over_training(tables, tier) for tier in shown], ignore_index=True)

    figure, panels = grid(len(shown), 4 if len(shown) > 3 else len(shown), 36 if len(shown) > 3 else 48)
    scale = Normalize(0, data["share"].max())
    columns = min(len(shown), 4)
    for place, (axes, tier) in enumerate(zip(panels, shown, strict=True)):
        rows = data[data["tier"] == tier]
        mesh = paint(axes, rows, scale)
        lowest = place + columns >= len(shown)
        training_axis(axes, rows["step"].tolist(), label=False, most=4)
        axes.set_title(_fitting(tier, 26), pad=2)
        if lowest:
            axes.set_xlabel("optimiser step")
        if place % columns == 0:
            axes.set_ylabel("cycles/image")
    figure.colorbar(mesh, ax=panels, label=SHARE_LABEL, pad=0.01, **_bar(len(panels), columns))
    frame(
        figure,
        _finding(data, left_out=len(tiers) - len(shown)),
        _note(tables, data, left_out=len(tiers) - len(shown)),
    )
    return figure, data


def _finding(data: pd.DataFrame, left_out: int) -> str:
    if data["tier"].nunique() == 1:
        return f"{data['tier'].iloc[0]}: the centroid {change(data)} cycles/image"
    ends = data.drop_duplicates(["tier", "step"]).sort_values("step").groupby("tier", sort=False)["centroid"]
    first, last = ends.first(), ends.last()
    rising, falling = int((last - first > 0.05).sum()), int((first - last > 0.05).sum())
    parts = [f"rises in {rising}"] if rising else []
    parts += [f"falls in {falling}"] if falling else []
    if not parts:
        parts = ["stays in all"]
    parts[-1] += f" of {len(last)} tiers" + " shown" * bool(left_out)
    text = f"Over training the centroid {' and '.join(parts)}"
    return (
        f"{text}; it ends lowest in {last.idxmin()} ({last.min():.1f} cycles/image) "
        f"and highest in {last.idxmax()} ({last.max():.1f})"
    )


def _note(tables: Tables, data: pd.DataFrame, left_out: int) -> str:
    runs = data["runs"]
    count = plural(runs.min(), "seed") if runs.min() == runs.max() else f"{runs.min()}–{runs.max()} seeds"
    note = (
        f"Colour: mean share of gradient power over {count} per tier, one scale for all; line: centroid; no interval. "
        f"Steps on log(1 + step); the first column is the untrained model. {sources(tables.study)}"
    )
    if left_out:
        note += f" Left out for room: {plural(left_out, 'tier')} of later draws, each in its own heatmap."
    return note


def _bar(panels: int, columns: int) -> dict:
    """A colour bar no taller than three rows of panels."""
    rows = -(-panels // columns)
    share = min(1.0, 3 / rows)
    return {"aspect": 25, "shrink": share, "anchor": (0, 1)}


def _fitting(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"
