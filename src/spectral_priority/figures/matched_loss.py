"""Matched loss: do levels differ when their runs have learned equally much, as they do at the end? (METHODS 9)"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import t as student

from ..config.statistics import Statistics
from ..statistics.draws import MOST_UNREACHED
from .levels import by_level, of_runs
from .names import SCALAR_NAMES
from .shown import at_reading, families, levels_of, reading_name, sources
from .style import GREY, OKABE_ITO, frame, grid, signed, styled
from .tables import Tables

MOST_PANELS, MOST_LEVELS = 9, 10


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the study's scalar of every level at the last checkpoint, over training, and at each matched loss.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, reading, fraction, unreached (share of the family's runs), shown, value, standard_error,
        interval, reach (half of the t interval), draws, runs.
    """
    data = matched_table(tables)
    present = list(dict.fromkeys(data["family"]))
    shown = present[:MOST_PANELS]
    columns = 2 if len(shown) in (2, 4) else 3
    figure, panels = grid(len(shown), columns, 58)
    scalar = tables.study.statistics.scalar
    unit = tables.priority.loc[tables.priority["scalar"] == scalar, "unit"].iloc[0]
    for place, (axes, family) in enumerate(zip(panels, shown, strict=True)):
        rows = data[(data["family"] == family) & data["shown"]]
        levels = [level for level in levels_of(tables.study, family) if level in set(rows["level"])]
        _panel(axes, rows, levels, _colours(data))
        axes.set_title(family, pad=3)
        if axes is panels[min(columns, len(panels)) - 1]:
            _legend(axes, _colours(data[data["shown"]]))
        if place % columns == 0:
            axes.set_ylabel(f"{SCALAR_NAMES[scalar]} ({unit})" if unit != "1" else SCALAR_NAMES[scalar])
    left_out = f" Left out for room: {', '.join(present[MOST_PANELS:])}." if len(present) > len(shown) else ""
    data = data[data["family"].isin(shown)].reset_index(drop=True)
    frame(figure, finding(tables, data), _note(tables, data) + left_out)
    return figure, data


def matched_table(tables: Tables) -> pd.DataFrame:
    """Return the scalar by level at each reading; `shown` is false where too many runs of a family never get there."""
    settings = tables.study.statistics
    rows = _rows(tables)
    readings = [
        ("last", None),
        ("mean", None),
        *(("matched-loss", fraction) for fraction in _fractions(settings)),
    ]
    parts = []
    for reading, fraction in readings:
        found = at_reading(rows, reading, fraction)
        part = by_level(tables.study, found)
        if part.empty:
            continue
        part["reading"] = reading_name(reading, fraction)
        part["fraction"] = np.nan if fraction is None else fraction
        part["unreached"] = part["family"].map(_unreached(found))
        parts.append(part.assign(shown=part["unreached"] <= MOST_UNREACHED))
    data = pd.concat(parts, ignore_index=True)
    order = ["family", "level", "reading", "fraction", "unreached", "shown"]
    return data[[*order, *[name for name in data.columns if name not in order]]]


def _rows(tables: Tables) -> pd.DataFrame:
    rows = tables.primary_priority()
    chosen = rows["scalar"] == tables.study.statistics.scalar
    return rows[chosen & rows["family"].isin(families(tables.study))]


def _fractions(settings: Statistics) -> list[float]:
    return sorted({*settings.robustness_fractions, settings.matched_fraction}, reverse=True)


def _unreached(found: pd.DataFrame) -> pd.Series:
    """Share of each family's runs that never come to a reading."""
    return (~found["reached"].astype(bool)).groupby(found["family"], sort=False).mean()


def finding(tables: Tables, data: pd.DataFrame) -> str:
    """Say in which families levels differ at matched loss as at the last checkpoint."""
    name, unit = SCALAR_NAMES[tables.study.statistics.scalar], _unit(tables)
    matched = reading_name("matched-loss", tables.study.statistics.matched_fraction)
    confidence = tables.study.statistics.confidence
    kept, lost, unclear, without, best = [], [], [], [], None
    for family, rows in data.groupby("family", sort=False):
        last = rows[rows["reading"] == "last checkpoint"].set_index("level")
        there = rows[(rows["reading"] == matched) & rows["shown"]].set_index("level")
        levels = [level for level in last.index if level in there.index]
        if len(levels) < 2:
            without.append(family)
            continue
        ends = last.loc[levels, "value"]
        low, high = ends.idxmin(), ends.idxmax()
        at_end, at_loss = (table.loc[high, "value"] - table.loc[low, "value"] for table in (last, there))
        if not all(is_clear(found, low, high, confidence) for found in (last, there)):
            unclear.append(family)
        elif at_loss > 0:
            kept.append(family)
        else:
            lost.append(family)
        if best is None or at_end > best[1]:
            best = family, at_end, at_loss, low, high
    if best is None:
        return "No family has two levels that reach the matched loss"
    family, at_end, at_loss, low, high = best
    numbers = (
        f"{family}, {high} − {low}: {signed(at_end)}{unit} at the last checkpoint, {signed(at_loss)} matched"
    )
    if not kept and not lost:
        return f"No levels differ clearly in their {name} both at the last checkpoint and at matched loss ({numbers})"
    said = []
    if kept:
        said.append(f"as at the end in {', '.join(kept)}")
    if lost:
        said.append(f"the other way round in {', '.join(lost)}")
    if unclear:
        said.append(f"not clearly in {', '.join(unclear)}")
    return f"At matched loss levels differ in their {name} {'; '.join(said)} ({numbers})"


def is_clear(rows: pd.DataFrame, low: str, high: str, confidence: float) -> bool:
    """Say whether two levels differ by a two-sample t interval over draws, or seeds; single runs tell no spread.

    Parameters
    ----------
    rows : DataFrame
        value, standard_error, interval, draws, runs, by level.
    low, high : str
        Levels.
    confidence : float

    Examples
    --------
    >>> rows = pd.DataFrame({"value": [1.0, 2.0], "standard_error": 0.1, "interval": "seeds", "draws": 1, "runs": 2})
    >>> is_clear(rows, 0, 1, 0.95), is_clear(rows.assign(standard_error=0.2), 0, 1, 0.95)
    (True, False)
    """
    pair = rows.loc[[low, high]]
    if (pair["interval"] == "measured").any():
        return False
    several = pair["draws"].where(pair["interval"] == "draws", pair["runs"])
    wide = student.ppf((1 + confidence) / 2, several.sum() - 2)
    return bool(abs(np.diff(pair["value"])[0]) > wide * np.hypot(*pair["standard_error"]))


def _unit(tables: Tables) -> str:
    rows = tables.priority.loc[tables.priority["scalar"] == tables.study.statistics.scalar, "unit"]
    return f" {rows.iloc[0]}" if rows.iloc[0] != "1" else ""


def _colours(data: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Colour and marker of each reading: black for the end, grey for the mean, hues for matched losses."""
    readings = list(dict.fromkeys(data["reading"]))
    fixed = {"last checkpoint": ("#000000", "s"), "mean over training": (GREY, "D")}
    hues = iter([(colour, "o") for colour in OKABE_ITO] * 2)
    return {reading: fixed.get(reading) or next(hues) for reading in readings}


def _panel(axes: Axes, rows: pd.DataFrame, levels: list[str], colours: dict[str, tuple[str, str]]) -> None:
    readings = [reading for reading in colours if reading in set(rows["reading"])]
    offsets = (np.arange(len(readings)) - (len(readings) - 1) / 2) * 0.09
    for reading, offset in zip(readings, offsets, strict=True):
        line = rows[rows["reading"] == reading].set_index("level").reindex(levels)
        colour, marker = colours[reading]
        axes.errorbar(
            np.arange(len(levels)) + offset, line["value"], line["standard_error"], fmt=f"{marker}-", color=colour,
            linewidth=0.8, elinewidth=0.8, capsize=1.5,
        )  # fmt: skip
    places = range(len(levels))
    if len(levels) > MOST_LEVELS:
        places = sorted(set(np.linspace(0, len(levels) - 1, MOST_LEVELS).round().astype(int).tolist()))
    axes.set_xticks(list(places), [levels[place] for place in places])
    axes.set_xlim(-0.5, max(len(levels) - 0.5, 0.5))
    axes.set_xlabel("level")
    axes.margins(y=0.08)


def _legend(axes: Axes, colours: dict[str, tuple[str, str]]) -> None:
    handles = [
        Line2D([], [], color=colour, marker=marker, linewidth=0.8, label=_brief(reading))
        for reading, (colour, marker) in colours.items()
    ]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1))


def _brief(reading: str) -> str:
    return reading.replace(" (", " ").replace(" of label entropy)", "")


def _note(tables: Tables, data: pd.DataFrame) -> str:
    hidden = [
        f"{family} at {_brief(reading_name('matched-loss', fraction))} ({100 * share:.0f} % of runs never reach it)"
        for fraction in _fractions(tables.study.statistics)
        for family, share in _unreached(at_reading(_rows(tables), "matched-loss", fraction)).items()
        if share > MOST_UNREACHED
    ]
    missing = "; ".join(hidden)
    return (
        f"Points: mean over draws (seeds averaged), {of_runs(data[data['shown']])}. Matched loss: where the loss on "
        f"fixed training images first falls to that part of the label entropy. Clear: the lowest "
        f"and the highest level of the last checkpoint differ at both readings by their two-sample "
        f"{100 * tables.study.statistics.confidence:g} % t interval, uncorrected."
        + (f" Not drawn, above {100 * MOST_UNREACHED:g} %: {missing}." if missing else "")
        + f" {sources(tables.study)}"
    )
