"""Alignment: overfitting to a planted artefact against how well a model was aligned with its spectrum (METHODS 9)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..statistics.least_squares import FEWEST_DRAWS
from .shown import primary
from .style import GREY, TWO_COLUMNS, canvas, frame, level_colours, plural, signed, styled
from .tables import Tables

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A marker per recipe; these are as many as can be told apart."""
MOST_ARTEFACTS = 7


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a point per artefact × recipe, and beside them the spectra and profiles that are compared.

    Returns
    -------
    figure : Figure
    data : DataFrame
        dataset, artefact, recipe, runs, then mean and standard error over runs of overlap, distance, source_overlap,
        gap and clean_gap.
    """
    data = point_table(tables)
    shown, left_out = _fitting(data)
    names = artefact_names(shown)
    colours = level_colours(list(names))
    markers = dict(zip(dict.fromkeys(shown["recipe"]), MARKERS, strict=False))
    figure = canvas(TWO_COLUMNS, 68)
    points, profiles = figure.subplots(1, 2, width_ratios=[3, 2])
    _points(points, shown, colours, markers, main_row(tables))
    _profiles(profiles, tables, colours, markers)
    above = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.0), "alignment": "left", "columnspacing": 1.0}
    points.legend(
        handles=[
            Line2D([], [], color=colours[dataset], linewidth=2.5, label=name)
            for dataset, name in names.items()
        ],
        title="artefact",
        ncols=4,
        **above,
    )
    profiles.legend(
        handles=[
            Line2D([], [], color=GREY, marker=marker, linestyle="--", linewidth=0.8, label=recipe)
            for recipe, marker in markers.items()
        ],
        title="recipe (its profile at step 0 dashed)",
        ncols=3,
        **above,
    )
    frame(figure, finding(tables), _note(tables, data) + left_out)
    return figure, data


def point_table(tables: Tables) -> pd.DataFrame:
    """Return the points of the primary instance: mean and standard error over the runs of an artefact × recipe."""
    rows = tables.alignment.runs
    rows = rows[rows["instance"] == primary(tables.study)[1]]
    by_point = rows.groupby(["dataset", "artefact", "recipe"], sort=False)
    columns = {"runs": by_point.size()}
    for name in ("overlap", "distance", "source_overlap", "gap", "clean_gap"):
        columns[name] = by_point[name].mean()
        columns[f"{name}_standard_error"] = by_point[name].sem()
    return pd.DataFrame(columns).reset_index()


def main_row(tables: Tables) -> pd.Series:
    """Return the row of the summary that answers the question: the gap on the overlap, for the primary instance."""
    rows = tables.alignment.summary
    rows = rows[(rows["instance"] == primary(tables.study)[1]) & (rows["alignment"] == "overlap")]
    return rows[rows["outcome"] == "gap"].iloc[0]


def artefact_names(data: pd.DataFrame) -> dict[str, str]:
    """Return what people call each data set's artefact: its kind, or the data set where a kind is planted twice."""
    kinds = data.drop_duplicates("dataset").set_index("dataset")["artefact"]
    twice = kinds.duplicated(keep=False)
    return {dataset: dataset if twice[dataset] else kind for dataset, kind in kinds.items()}


def finding(tables: Tables) -> str:
    """Say whether overfitting goes with alignment."""
    row = main_row(tables)
    what = "Overfitting to an artefact"
    if row["n"] < FEWEST_DRAWS:
        return (
            f"{what} against alignment with its spectrum: {plural(int(row['n']), 'point')}, too few to judge"
        )
    if not np.isfinite(row["spearman"]):
        return f"{what} against alignment with its spectrum: nothing to correlate ({row['note']})"
    numbers = f"ρ = {signed(row['spearman'])}, n = {int(row['n'])}"
    if not np.isfinite(row["p_adjusted"]):
        return f"{what} has ρ = {signed(row['spearman'])} with alignment, but one artefact has no spectra to exchange"
    level = 1 - row["confidence"]
    if 1 / row["arrangements"] > level:
        few = f"{plural(int(row['artefacts']), 'artefact')}, too few to judge"
        return f"{what} against alignment with its spectrum: {few} ({numbers})"
    numbers += f", corrected p = {row['p_adjusted']:.2g}"
    if row["p_adjusted"] < level:
        more = "larger" if row["spearman"] > 0 else "smaller"
        return f"{what} is {more} where a model was more aligned with its spectrum ({numbers})"
    return f"{what} is not clearly related to alignment with its spectrum ({numbers})"


def _fitting(data: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The points that a figure can show, and a note on the others."""
    datasets = list(dict.fromkeys(data["dataset"]))[:MOST_ARTEFACTS]
    recipes = list(dict.fromkeys(data["recipe"]))[: len(MARKERS)]
    shown = data[data["dataset"].isin(datasets) & data["recipe"].isin(recipes)]
    hidden = len(data) - len(shown)
    return shown, f" Left out for room: {plural(hidden, 'point')}." if hidden else ""


def _points(
    axes: Axes, data: pd.DataFrame, colours: dict[str, str], markers: dict[str, str], row: pd.Series
) -> None:
    for point in data.itertuples():
        axes.errorbar(
            point.overlap,
            point.gap,
            xerr=np.nan_to_num(point.overlap_standard_error),
            yerr=np.nan_to_num(point.gap_standard_error),
            fmt=markers[point.recipe],
            color=colours[point.dataset],
            markersize=5,
            elinewidth=0.8,
        )
    if row["n"] >= FEWEST_DRAWS and np.isfinite(row["slope"]):
        ends = np.array([data["overlap"].min(), data["overlap"].max()])
        axes.plot(
            ends, data["gap"].mean() + row["slope"] * (ends - data["overlap"].mean()), color=GREY, zorder=0
        )
    axes.axhline(0, color="#cccccc", linewidth=0.6, zorder=0)
    axes.margins(0.08)
    axes.set_xlabel("overlap of the profile at step 0 with the artefact’s spectrum")
    axes.set_ylabel("accuracy on training − validation images")


def _profiles(axes: Axes, tables: Tables, colours: dict[str, str], markers: dict[str, str]) -> None:
    rows = tables.alignment.profiles
    for dataset, line in rows[rows["kind"] == "artefact"].groupby("name", sort=False):
        if dataset in colours:
            axes.plot(line["ring"], line["share"], color=colours[dataset])
    starts = rows[(rows["kind"] == "start") & (rows["instance"] == primary(tables.study)[1])]
    for recipe, line in starts.groupby("name", sort=False):
        if recipe in markers:
            axes.plot(
                line["ring"],
                line["share"],
                color=GREY,
                linestyle="--",
                linewidth=0.8,
                marker=markers[recipe],
                markersize=3,
            )
    axes.set_xscale("log", base=2)
    ticks = 2 ** np.arange(int(np.log2(rows["ring"].max())) + 1)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("spatial frequency (cycles/image)")
    axes.set_ylabel("share of power in the ring")


def _note(tables: Tables, data: pd.DataFrame) -> str:
    row, runs = main_row(tables), data["runs"]
    count = plural(int(runs.max()), "run") if runs.nunique() == 1 else f"{runs.min()}–{runs.max()} runs"
    bars = "bars: ±1 standard error over them" if runs.max() > 1 else "no bars (one run)"
    how = (
        f"p: how often ρ is as large when artefacts exchange their spectra ({row['permutation']}, "
        f"{int(row['arrangements'])} arrangements), corrected over the table. "
        if np.isfinite(row["p_spearman"])
        else ""
    )
    line = "; line: least squares" if row["n"] >= FEWEST_DRAWS and np.isfinite(row["slope"]) else ""
    remark = row["note"] if isinstance(row["note"], str) else ""
    return (
        f"Points: artefact (colour) × recipe (marker), mean over {count}; {bars}{line}. Overlap: Σ√(S q), 1 for equal "
        f"spectra. On validation images the artefact is reversed, as far as the study says so. {how}Exploratory. "
        f"{remark[:1].upper() + remark[1:] + '. ' if remark else ''}Measure {primary(tables.study)[1]}."
    )
