"""Class learning: the scores of every class over training, and those at an early step against their spectra."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .shown import class_order_row, is_related, of_primary_recipes, primary_recipes
from .style import GREY, SHARE_COLOURS, frame, grid, plural, signed, styled, training_axis
from .tables import Tables

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_TIERS, MOST_CLASSES = 8, 8
"""Tiers that fit a page, and classes that fit a panel and its legend."""
COLUMNS, ROW = 5, 3.6
"""Names side by side in a legend, and the height of its rows in mm."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a panel per tier, F1 over training with a line per class, and one with the F1 at the early step.

    Returns
    -------
    figure : Figure
    data : DataFrame
        tier, class, step, runs, mean and standard error of F1 over seeds; behind them the class's distinctiveness,
        contrast and frequency. All tiers and classes, without controls, of the primary recipes.
    """
    data = curve_table(tables)
    tiers, classes, left_out = _fitting(data)
    colours = class_colours(classes)
    step = tables.study.learned_first.step
    chance = _of_primary(tables, tables.class_learning.runs).groupby("tier")["by_chance"].mean()
    figure, axes = grid(len(tiers) + 1, 3, 50)
    for panel, tier in zip(axes, tiers, strict=False):
        own = data[(data["tier"] == tier) & data["class"].isin(classes)]
        _curves(panel, own, colours, step, chance[tier])
        panel.set_title(f"{tier}\n{_most(data[data['tier'] == tier])}", pad=3)
    _points(axes[-1], data[(data["step"] == step) & data["class"].isin(classes)], tiers, colours, step)
    frame(figure, finding(tables), _note(tables, data) + left_out)
    _legends(figure, colours, dict(zip(tiers, MARKERS, strict=False)))
    return figure, data


def curve_table(tables: Tables) -> pd.DataFrame:
    """Return F1 over training of every tier and class: mean and standard error over seeds, primary recipes."""
    curves = _of_primary(tables, tables.class_learning.curves)
    by_point = curves.groupby(["tier", "class", "step"], sort=False)["f1"]
    table = pd.DataFrame(
        {"runs": by_point.size(), "f1": by_point.mean(), "f1_standard_error": by_point.sem()}
    )
    apart = _of_primary(tables, tables.class_learning.runs).drop_duplicates(["tier", "class"])
    columns = ["tier", "class", "distinctiveness", "contrast", "frequency"]
    return table.reset_index().merge(apart[columns], on=["tier", "class"], how="left")


def class_colours(classes: list[str]) -> dict[str, str]:
    """Return a colour per class, given from low to high frequencies, on one ordered scale."""
    scale = matplotlib.colormaps[SHARE_COLOURS]
    places = np.linspace(0, 0.88, max(len(classes), 2))
    return {
        name: matplotlib.colors.to_hex(scale(place)) for name, place in zip(classes, places, strict=False)
    }


def finding(tables: Tables) -> str:
    """Say whether the most distinctive class is learned first, and whether low or high frequencies are."""
    row, place = class_order_row(tables, "distinctiveness"), class_order_row(tables, "frequency")
    if not np.isfinite(row["rho"]):
        return f"Which class is learned first: nothing to correlate ({row['note']})"
    text = (
        f"The class with the most distinctive spectrum is first in {100 * row['first']:.0f} % of "
        f"{plural(int(row['runs']), 'run')} (by chance {100 * row['first_by_chance']:.0f} %): "
        f"F1 at step {int(row['step'])} {relation(row, 'distinctiveness')}"
    )
    if not np.isfinite(place["rho"]):
        return text
    joined = "and" if is_related(place) == is_related(row) else "but"
    return f"{text}, {joined} {relation(place, 'frequency')}"


def relation(row: pd.Series, what: str) -> str:
    """Say a row's correlation in words."""
    numbers = f"(ρ = {signed(row['rho'])}, corrected p = {row['p_adjusted']:.2g})"
    if not is_related(row):
        return f"does not clearly go with {what} {numbers}"
    return f"{'rises' if row['rho'] > 0 else 'falls'} with {what} {numbers}"


def _of_primary(tables: Tables, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of the primary recipes, without controls."""
    study = tables.study
    shown = [tier.name for tier in study.list_tiers(controls=False)]
    rows = of_primary_recipes(study, frame)
    return rows[rows["tier"].isin(shown)]


def _fitting(data: pd.DataFrame) -> tuple[list[str], list[str], str]:
    """The tiers and classes that a figure can show, classes from low to high frequencies, and a note on the others."""
    every = list(dict.fromkeys(data["tier"]))
    ordered = data.groupby("class")["frequency"].mean().sort_values(kind="stable").index.tolist()
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), MOST_CLASSES)).round().astype(int)
    tiers, classes = every[:MOST_TIERS], [ordered[place] for place in places]
    hidden = [
        plural(len(every) - len(tiers), "tier") if len(every) > len(tiers) else "",
        f"{len(ordered) - len(classes)} of {len(ordered)} classes" if len(ordered) > len(classes) else "",
    ]
    hidden = " and ".join(filter(None, hidden))
    return tiers, classes, f" Left out for room: {hidden}." if hidden else ""


def _curves(axes: Axes, data: pd.DataFrame, colours: dict[str, str], step: int, chance: float) -> None:
    most = data.loc[data["distinctiveness"].idxmax(), "class"]
    for name, line in data.groupby("class", sort=False):
        width = 2.2 if name == most else 1.0
        axes.plot(line["step"], line["f1"], color=colours[name], linewidth=width)
        error = line["f1_standard_error"].fillna(0)
        axes.fill_between(
            line["step"], line["f1"] - error, line["f1"] + error, color=colours[name], alpha=0.2, linewidth=0
        )
    axes.axvline(step, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    axes.axhline(chance, color=GREY, linestyle=":", linewidth=0.8, zorder=0)
    training_axis(axes, data["step"].tolist(), label=False, most=5)
    axes.set_xlim(0, data["step"].max())
    axes.set_ylim(-0.02, 1.03)
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("F1")


def _points(axes: Axes, data: pd.DataFrame, tiers: list[str], colours: dict[str, str], step: int) -> None:
    markers = dict(zip(tiers, MARKERS, strict=False))
    for _, point in data[data["tier"].isin(tiers)].iterrows():
        axes.errorbar(
            point["distinctiveness"],
            point["f1"],
            yerr=np.nan_to_num(point["f1_standard_error"]),
            fmt=markers[point["tier"]],
            color=colours[point["class"]],
            markersize=4.5,
            elinewidth=0.8,
        )
    axes.set_ylim(-0.02, 1.03)
    axes.margins(x=0.08)
    axes.set_xlabel("distinctiveness of the class’s spectrum")
    axes.set_ylabel(f"F1 at step {step}")


def _legends(figure: Figure, colours: dict[str, str], markers: dict[str, str]) -> None:
    """Name the classes, and below them the tiers, between the title and the panels; the figure grows by their rows."""
    lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    points = [
        Line2D([], [], color=GREY, marker=marker, linestyle="", label=name)
        for name, marker in markers.items()
    ]
    rows = [-(-len(handles) // COLUMNS) for handles in (lines, points)]
    added = (ROW * sum(rows) + 1) / 25.4
    width, height = figure.get_size_inches()
    total = height + added
    _, bottom, _, part = figure.get_layout_engine().get()["rect"]
    below, panels = bottom * height, part * height
    top = below + panels + added
    for text in figure.texts:  # they keep their distance from the edges
        x, y = text.get_position()
        edge = (1 - y) * height if text.get_gid() == "title" else y * height
        text.set_position((x, 1 - edge / total if text.get_gid() == "title" else edge / total))
    figure.set_size_inches(width, total)
    figure.get_layout_engine().set(rect=(0, below / total, 1, panels / total))
    for handles, place in ((lines, top), (points, top - ROW * rows[0] / 25.4)):
        figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(0, place / total),
            ncols=COLUMNS,
            columnspacing=1.2,
        ).set_in_layout(False)


def _most(own: pd.DataFrame) -> str:
    """Which class of a tier is the most distinctive, drawn as a thick line, and how close the next one is."""
    ordered = own.drop_duplicates("class").sort_values("distinctiveness", ascending=False)
    values = ordered["distinctiveness"].tolist()
    return f"thick: {ordered['class'].iloc[0]} ({values[0]:.2f}; next {values[1]:.2f})"


def _note(tables: Tables, data: pd.DataFrame) -> str:
    row, runs = class_order_row(tables, "distinctiveness"), data["runs"]
    count = plural(int(runs.max()), "seed") if runs.nunique() == 1 else f"{runs.min()}–{runs.max()} seeds"
    bands = "bands and bars: ±1 standard error over them" if runs.max() > 1 else "no bands (one seed)"
    how = (
        f"ρ: Spearman, mean over the seeds and then over {plural(int(row['n']), 'tier')}"
        if row["over"] == "tiers"
        else f"ρ: Spearman, mean over {plural(int(row['n']), 'seed')}"
    )
    p = (
        f"; p: how often it is as large when classes exchange their spectra ({row['permutation']}, "
        f"{int(row['arrangements'])} arrangements), corrected over the table"
        if np.isfinite(row["p"])
        else ""
    )
    return (
        f"Lines: F1 of each class on validation images, mean over n = {count}; {bands}; the thick line is the class "
        f"with the most distinctive spectrum (in brackets: how distinctive it and the next one are). Dashed: the early "
        f"step. Dotted: F1 of always naming one class. Distinctiveness: mean over rings of |ADCS| ÷ (C − 1) among the "
        f"training images. Markers in the last panel: tiers. {how}{p}. Exploratory. "
        f"Recipe {primary_recipes(tables.study)}."
    )
