"""Correlations: every priority scalar against every complexity measure, Spearman's rho by family (METHODS 9)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..statistics.least_squares import FEWEST_DRAWS
from .names import COMPLEXITY_NAMES, SCALAR_NAMES
from .shown import at_reading, families, primary, reading_name, reading_of, sources
from .style import RHO_COLOURS, TWO_COLUMNS, canvas, frame, plural, signed, styled
from .tables import Tables

MOST_PANELS = 6
MOST_BESIDE = 12
"""Complexity measures of which two panels have room beside each other."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a matrix of rho per family; cells of fewer than five draws are hatched and hold no number.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, reading, scalar, complexity, draws, spearman, p_adjusted, correction, hypothesis, significant, shown.
    """
    data = matrix_table(tables)
    present = list(dict.fromkeys(data["family"]))
    shown = present[:MOST_PANELS]
    left_out = f" Left out for room: {', '.join(present[MOST_PANELS:])}." if len(present) > len(shown) else ""
    data = data[data["family"].isin(shown)].reset_index(drop=True)
    scalars, measures = _ordered(data["scalar"], SCALAR_NAMES), _ordered(data["complexity"], COMPLEXITY_NAMES)
    columns = min(max(len(shown), 1), 2 if len(measures) <= MOST_BESIDE else 1)
    rows = max(-(-len(shown) // columns), 1)
    figure = canvas(TWO_COLUMNS, rows * (6 + 5.2 * max(len(scalars), 1)) + 22)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel().tolist()
    for empty in panels[max(len(shown), 1) :]:
        empty.remove()
    for place, family in enumerate(shown):
        cells = data[data["family"] == family]
        _panel(panels[place], cells, scalars, measures)
        panels[place].set_xlabel(f"{family} (n = {plural(int(cells['draws'].max()), 'draw')})")
        panels[place].tick_params(labeltop=place < columns, labelbottom=False, labelleft=place % columns == 0)
    if shown:
        colours = panels[0].images[0]
        figure.colorbar(
            colours, ax=panels[: len(shown)], label="Spearman's ρ", location="bottom", aspect=60, pad=0.02
        )
    else:
        panels[0].set_axis_off()
    frame(figure, _finding(data), _note(tables, data) + left_out)
    return figure, data


def matrix_table(tables: Tables) -> pd.DataFrame:
    """Return the rows of correlations.csv that the matrices show: primary recipe and instance, one reading a family."""
    rows = tables.correlations[tables.correlations["instance"] == primary(tables.study)[1]]
    level = 1 - tables.study.statistics.confidence
    parts = []
    for family in families(tables.study):
        reading, fraction = reading_of(tables, family)
        own = (rows["family"] == family) & (rows["recipe"] == tables.study.recipes_of(family)[0])
        cells = at_reading(rows[own], reading, fraction)
        cells = cells.drop_duplicates(["scalar", "complexity"])
        shown = (cells["draws"] >= FEWEST_DRAWS) & cells["spearman"].notna()
        parts.append(
            cells[["family", "scalar", "complexity", "draws", "spearman", "p_adjusted", "correction", "hypothesis"]]
            .assign(
                reading=reading_name(reading, fraction),
                significant=shown & (cells["p_adjusted"] < level),
                shown=shown,
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _panel(axes: Axes, cells: pd.DataFrame, scalars: list[str], measures: list[str]) -> None:
    values = np.full((len(scalars), len(measures)), np.nan)
    for row in cells[cells["shown"]].itertuples():
        values[scalars.index(row.scalar), measures.index(row.complexity)] = row.spearman
    axes.imshow(values, cmap=RHO_COLOURS, norm=Normalize(-1, 1), aspect="auto")
    for y, x in np.argwhere(np.isnan(values)):
        axes.add_patch(
            Rectangle(
                (x - 0.5, y - 0.5), 1, 1, facecolor="#e6e6e6", edgecolor="#b0b0b0", hatch="////", linewidth=0
            )
        )
    for row in cells[cells["shown"]].itertuples():
        y, x = scalars.index(row.scalar), measures.index(row.complexity)
        axes.text(
            x, y, _brief(row.spearman) + ("*" if row.significant else ""), ha="center", va="center",
            fontweight="bold" if row.significant else "normal",
            color="white" if abs(row.spearman) > 0.65 else "black",
        )  # fmt: skip
    axes.set_xticks(
        range(len(measures)), [COMPLEXITY_NAMES.get(name, name) for name in measures], rotation=90
    )
    axes.set_yticks(range(len(scalars)), [SCALAR_NAMES.get(name, name) for name in scalars])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(measures) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(scalars) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="minor", length=0)


def _ordered(found: pd.Series, known: dict[str, str]) -> list[str]:
    """The names that occur: known ones in their order, then others."""
    present = set(found)
    return [name for name in known if name in present] + sorted(present - set(known))


def _brief(rho: float) -> str:
    return f"{rho:.2f}".replace("0.", ".", 1).replace("-", "−")


def _finding(data: pd.DataFrame) -> str:
    shown = data[data["shown"]]
    if shown.empty:
        most = int(data["draws"].max()) if len(data) else 0
        return f"Too few draws for any correlation: at most {most} in a family, {FEWEST_DRAWS} needed"
    best = shown.loc[shown["spearman"].abs().idxmax()]
    scalar, measure = best["scalar"], best["complexity"]
    pair = f"{SCALAR_NAMES.get(scalar, scalar)} with {COMPLEXITY_NAMES.get(measure, measure)} in {best['family']}"
    return (
        f"{int(shown['significant'].sum())} of {plural(len(shown), 'correlation')} stay significant after correction; "
        f"strongest: {pair} (ρ = {signed(best['spearman'])})"
    )


def _note(tables: Tables, data: pd.DataFrame) -> str:
    corrections = sorted(set(data["correction"].dropna().astype(str)) - {""})
    readings = " or ".join(dict.fromkeys(data["reading"]))
    level = 1 - tables.study.statistics.confidence
    by = f" ({', '.join(corrections)})" if corrections else ""
    return (
        f"Number: Spearman's ρ over draws (seeds averaged), no interval; * and bold: slope with p < {level:.2g} after "
        f"correction{by}. Hatched: fewer than {FEWEST_DRAWS} draws, or a measure that can't be had or does not vary. "
        f"Reading: {readings}. {sources(tables.study)}"
    )
