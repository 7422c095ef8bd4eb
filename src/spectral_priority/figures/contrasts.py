"""Contrasts: what each recipe does to the priority, as a difference from the family's reference recipe (METHODS 9)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .names import SCALAR_NAMES
from .shown import contrast_table, is_clear, levels_of, primary, reading_name
from .style import GREY, TWO_COLUMNS, canvas, frame, level_colours, plural, signed, styled
from .tables import Tables

MOST_ROWS, MOST_LEVELS = 48, 6
"""Recipes of all families together, and levels of one family, that one page can show."""
ROW, HEAD = 5.5, 9.0
"""Height of a recipe, and of what stands above and below a family's recipes, in mm."""
REACH = 2.5
"""Intervals are shown up to this many times the largest difference: with two seeds they can be far longer."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the difference of the study's scalar for every recipe and level, last checkpoint and matched loss.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, recipe, reference, reading, difference, lower, upper, n, over, unit, p_adjusted, note.
    """
    data = contrast_table(tables)
    shown, left_out = _fitting(data)
    data = data[data["family"].isin(shown)].reset_index(drop=True)
    recipes = {family: list(dict.fromkeys(data.loc[data["family"] == family, "recipe"])) for family in shown}
    readings = list(dict.fromkeys(data["reading"]))
    heights = [HEAD + ROW * len(recipes[family]) for family in shown]
    figure = canvas(TWO_COLUMNS, sum(heights) + 6)
    grid = figure.subplots(len(shown), len(readings), squeeze=False, sharex=True, height_ratios=heights)
    reach = _reach(data)
    name = SCALAR_NAMES[tables.study.statistics.scalar]
    for row, family in enumerate(shown):
        levels = levels_of(tables.study, family)[:MOST_LEVELS]
        for axes, reading in zip(grid[row], readings, strict=True):
            cells = data[(data["family"] == family) & (data["reading"] == reading)]
            _panel(axes, cells, recipes[family], levels, reach)
            lowest = row == len(shown) - 1
            axes.tick_params(labelbottom=lowest, labelleft=axes is grid[row, 0])
            if lowest:
                axes.set_xlabel(f"difference in {name}{_in(data)}")
        reference = data.loc[data["family"] == family, "reference"].iloc[0]
        grid[row, 0].set_title(f"{family} (0: {reference}) – {readings[0]}", pad=3)
        for axes, reading in zip(grid[row, 1:], readings[1:], strict=True):
            axes.set_title(reading, pad=3)
        if len(levels) > 1:
            grid[row, -1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    frame(figure, _finding(tables, data), _note(tables, data) + left_out)
    return figure, data


def _panel(axes: Axes, cells: pd.DataFrame, recipes: list[str], levels: list[str], reach: float) -> None:
    colours = level_colours(levels)
    axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    offsets = (np.arange(len(levels)) - (len(levels) - 1) / 2) * 0.7 / max(len(levels), 2)
    for level, offset in zip(levels, offsets, strict=True):
        axes.plot([], [], "o", color=colours[level], label=level)
        for row in cells[cells["level"] == level].assign(clear=is_clear).itertuples():
            place = recipes.index(row.recipe) + offset
            if not np.isfinite(row.difference):
                axes.text(0, place, " no result", va="center", ha="left", color=colours[level])
                continue
            if np.isfinite(row.lower):
                axes.plot(
                    [max(row.lower, -reach), min(row.upper, reach)], [place, place], color=colours[level]
                )
                for end, mark in ((row.lower, "<"), (row.upper, ">")):
                    if abs(end) > reach:  # goes on beyond the panel
                        axes.plot(np.sign(end) * reach, place, mark, color=colours[level], clip_on=False)
            axes.plot(
                row.difference,
                place,
                "o",
                color=colours[level],
                markerfacecolor=colours[level] if row.clear else "white",
            )
    axes.set_xlim(-reach, reach)
    axes.set_ylim(len(recipes) - 0.4, -0.6)
    axes.set_yticks(range(len(recipes)), recipes)
    axes.tick_params(axis="y", length=0)
    for edge in np.arange(len(recipes) - 1) + 0.5:
        axes.axhline(edge, color="#e6e6e6", linewidth=0.6, zorder=0)


def _fitting(data: pd.DataFrame) -> tuple[list[str], str]:
    """The families that fit the page, first ones first, and a note on the others."""
    counts = data.groupby("family", sort=False)["recipe"].nunique()
    shown = [family for family, total in counts.cumsum().items() if total <= MOST_ROWS] or list(
        counts.index[:1]
    )
    out = [family for family in counts.index if family not in shown]
    return shown, f" Left out for room: {', '.join(out)}." if out else ""


def _reach(data: pd.DataFrame) -> float:
    """Half of the width of the x axis: all differences, and intervals as far as they don't dwarf them."""
    largest = np.nanmax(np.abs(data["difference"]), initial=0)
    ends = np.nanmax(np.abs(data[["lower", "upper"]].to_numpy(float)), initial=0)
    return 1.08 * max(largest, min(ends, REACH * largest)) or 1.0


def _in(data: pd.DataFrame) -> str:
    unit = data["unit"].iloc[0] if len(data) else "1"
    return f" ({unit})" if unit != "1" else ""


def _over(rows: pd.DataFrame) -> str:
    pairs = rows.dropna(subset=["over"])
    counts = sorted(
        {plural(int(n), over.removesuffix("s")) for n, over in zip(pairs["n"], pairs["over"], strict=True)}
    )
    return f"n = {' or '.join(counts)}" if counts else "No pair of runs has a value"


def _finding(tables: Tables, data: pd.DataFrame) -> str:
    name = SCALAR_NAMES[tables.study.statistics.scalar]
    last = data[(data["reading"] == reading_name("last", None)) & data["difference"].notna()]
    if last.empty:
        return "No contrast between recipes has a value"
    unit = _in(data).strip(" ()")
    clear = last[is_clear(last)]
    chosen = clear if len(clear) else last
    best = chosen.loc[chosen["difference"].abs().idxmax()]
    what = (
        f"{best['recipe']} on {best['family']} {best['level']} ({signed(best['difference'])} {unit}".rstrip()
    )
    interval = (
        f", interval {signed(best['lower'])} to {signed(best['upper'])})"
        if np.isfinite(best["lower"])
        else ")"
    )
    if clear.empty:
        return (
            f"No recipe moves the {name} clearly from its reference; the largest difference: {what}{interval}"
        )
    return (
        f"{len(clear)} of {plural(len(last), 'contrast')} in the {name} at the last checkpoint are clear of zero, "
        f"uncorrected; the largest: {what}{interval}"
    )


def _note(tables: Tables, data: pd.DataFrame) -> str:
    confidence = 100 * tables.study.statistics.confidence
    cut = data[["lower", "upper"]].abs().max(axis=None) > _reach(data)
    return (
        f"Points: recipe − reference, paired by tier and seed; filled where the interval excludes zero. Bars: "
        f"{confidence:g} % t intervals of the mean difference ({_over(data)}), each by itself: exploratory; "
        f"contrasts.csv has p values corrected over the table."
        + " Arrowheads: the interval goes on beyond the panel." * bool(cut)
        + f" Measure {primary(tables.study)[1]}."
    )
