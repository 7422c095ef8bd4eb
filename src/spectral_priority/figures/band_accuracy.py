"""Band accuracy: what removing the low, the mid or the high frequencies of images costs, over training (METHODS 4)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .levels import by_level, clear_rule, listed, of_runs
from .shown import measured, primary_recipes
from .style import GREY, OKABE_ITO, frame, grid, plural, styled, training_axis
from .tables import Tables

MOST_PANELS = 15
BANDS = ("low", "mid", "high")
LINES = {
    "none": ("whole images", "#000000"),
    "band-stop-low": ("without low", OKABE_ITO[0]),
    "band-stop-mid": ("without mid", OKABE_ITO[2]),
    "band-stop-high": ("without high", OKABE_ITO[1]),
}
"""Filter → its name for people, and its colour."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the accuracy on whole images and without each band, a panel per level.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, quantity (`accuracy`, `chance`, or `drop`: accuracy lost, paired by image), filter, step, value,
        standard_error, interval, reach (half of the t interval), draws, runs.
    """
    data = band_table(tables)
    levels = list(dict.fromkeys(zip(data["family"], data["level"], strict=True)))
    shown = levels[:MOST_PANELS]
    columns = 3 if len(shown) in (1, 2, 4, 8) else 4  # leaves a place for the legend
    figure, panels = grid(len(shown) + 1, columns, 42)
    for place, (axes, (family, level)) in enumerate(zip(panels, shown, strict=False)):
        rows = data[(data["family"] == family) & (data["level"] == level)]
        _panel(axes, rows)
        axes.set_title(f"{family} {level}", pad=3)
        if place + columns >= len(shown):
            axes.set_xlabel("optimiser step")
        if place % columns == 0:
            axes.set_ylabel("accuracy")
    handles = [Line2D([], [], color=colour, label=name) for name, colour in LINES.values()]
    handles.append(Line2D([], [], color=GREY, linestyle="--", linewidth=0.9, label="chance"))
    panels[-1].set_axis_off()
    panels[-1].legend(handles=handles, loc="center left")
    left_out = f" Left out for room: {plural(len(levels) - len(shown), 'level')}." * (
        len(levels) > len(shown)
    )
    frame(figure, finding(data), _note(tables, data) + left_out)
    return figure, data


def band_table(tables: Tables) -> pd.DataFrame:
    """Return accuracy, chance and what each band's removal costs, by level and step."""
    rows = measured(tables, "band-accuracy")
    accuracy = rows[(rows["variable"] == "accuracy") & rows["of"].isin(list(LINES))]
    drops = rows[rows["variable"].isin([f"{band}_drop" for band in BANDS])]
    drops = drops.assign(of="band-stop-" + drops["variable"].str.removesuffix("_drop"))
    parts = []
    for quantity, own in (
        ("accuracy", accuracy),
        ("chance", rows[rows["variable"] == "chance"]),
        ("drop", drops),
    ):
        part = by_level(tables.study, own.rename(columns={"of": "filter"}), ["filter", "step"])
        part.insert(2, "quantity", quantity)
        parts.append(part)
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def finding(data: pd.DataFrame) -> str:
    """Say which band is needed most at the last checkpoint, and in how many levels."""
    drops = data[data["quantity"] == "drop"]
    drops = drops[drops["step"] == drops.groupby(["family", "level"])["step"].transform("max")]
    clear, best, unclear = {}, None, 0
    for (family, level), own in drops.groupby(["family", "level"], sort=False):
        row = own.loc[own["value"].idxmax()]
        band = row["filter"].removeprefix("band-stop-")
        if row["value"] > row["reach"]:
            clear[band] = clear.get(band, 0) + 1
        else:
            unclear += 1
        if best is None or row["value"] > best[0]["value"]:
            best = row, band, f"{family} {level}"
    if best is None:
        return "No run was measured without one of the bands"
    row, band, where = best
    numbers = f"{100 * row['value']:.0f} points without {band} in {where}"
    total = plural(sum(clear.values()) + unclear, "level")
    if not clear:
        return f"No band’s removal costs clearly any accuracy at the last checkpoint, in {total} (at most {numbers})"
    counts = [f"the {name} band in {clear[name]}" for name in BANDS if name in clear]
    text = f"At the last checkpoint accuracy depends most on {listed(counts)} of {total}"
    return f"{text}{f', on none clearly in {unclear}' if unclear else ''} (at most {numbers})"


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    chance = rows[rows["quantity"] == "chance"]
    axes.plot(chance["step"], chance["value"], color=GREY, linestyle="--", linewidth=0.9, zorder=0)
    for name, (_, colour) in LINES.items():
        line = rows[(rows["quantity"] == "accuracy") & (rows["filter"] == name)]
        axes.plot(line["step"], line["value"], color=colour, marker="o", markersize=2)
        low, high = line["value"] - line["standard_error"], line["value"] + line["standard_error"]
        axes.fill_between(line["step"], low, high, color=colour, alpha=0.15, linewidth=0)
    training_axis(axes, rows["step"].tolist(), label=False, most=4)
    axes.set_xlim(0, max(rows["step"].max(), 1))
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks(np.linspace(0, 1, 5), ["0", "", "0.5", "", "1"])


def _note(tables: Tables, data: pd.DataFrame) -> str:
    images = measured(tables, "band-accuracy")["n"]
    count = f"{images.min()}" if images.min() == images.max() else f"{images.min()}–{images.max()}"
    return (
        f"Accuracy on {count} probe images, mean over draws (seeds averaged), {of_runs(data)}. low ≤ N/6 < mid ≤ N/3 < "
        f"high ≤ N/2 for N pixels, in cycles/image; DC and corners stay. {clear_rule(tables.study)} Accuracy lost is "
        f"paired by image. Steps on log(1 + step). Recipe {primary_recipes(tables.study)}."
    )
