"""Complexity: priority against the complexity of the task, a point per draw (METHODS 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student

from ..statistics.draws import MOST_UNREACHED
from ..statistics.least_squares import FEWEST_DRAWS
from .names import COMPLEXITY_NAMES, SCALAR_NAMES
from .shown import (
    PRIMARY_MEASURE,
    at_reading,
    controls_of,
    families,
    levels_of,
    reading_name,
    reading_of,
    sources,
)
from .style import GREY, OKABE_ITO, frame, grid, plural, signed, styled
from .tables import Tables

MOST_PANELS = 9


@dataclass(frozen=True)
class Line:
    """Least squares through draws, with t intervals.

    Attributes
    ----------
    slope, lower, upper : float
        Slope and its interval, in the scalar's unit per unit of complexity.
    at, value, band : ndarray (point,)
        The line, and half the width of the interval of its mean.
    draws : int
        Number of points.
    """

    slope: float
    lower: float
    upper: float
    at: np.ndarray
    value: np.ndarray
    band: np.ndarray
    draws: int


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the primary scalar against each family's complexity, with the untrained level and the control.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, tier, level, draw, control, reading, measure, complexity, value, standard_error, interval, seeds,
        untrained; `complexity` is the number of the level where levels have names only.
    """
    data, study = complexity_table(tables), tables.study
    confidence, scalar = study.statistics.confidence, study.statistics.scalar
    present = list(dict.fromkeys(data["family"]))
    shown = present[:MOST_PANELS]
    columns = 2 if len(shown) in (2, 4) else 3
    figure, panels = grid(len(shown), columns, 58)
    unit = tables.priority.loc[tables.priority["scalar"] == scalar, "unit"].iloc[0]
    lines = {}
    for place, (axes, family) in enumerate(zip(panels, shown, strict=True)):
        rows = data[data["family"] == family]
        lines[family] = fit(rows, confidence)
        _panel(axes, rows, lines[family], levels_of(study, family))
        draws = plural(int((rows["control"] == "").sum()), "draw")
        axes.set_title(f"{family} (n = {draws})\n{_result(rows, lines[family])}", pad=3)
        if place % columns == 0:
            axes.set_ylabel(f"{SCALAR_NAMES[scalar]} ({unit})" if unit else SCALAR_NAMES[scalar])
    left_out = f" Left out for room: {', '.join(present[MOST_PANELS:])}." if len(present) > len(shown) else ""
    data = data[data["family"].isin(shown)].reset_index(drop=True)
    frame(figure, _finding(tables, data, lines, unit), _note(tables, data, confidence) + left_out)
    return figure, data


def complexity_table(tables: Tables) -> pd.DataFrame:
    """Return a row per draw: the scalar (mean over seeds) at its reading, and the task's complexity."""
    study = tables.study
    primary_rows = tables.primary_priority()
    primary_rows = primary_rows[primary_rows["scalar"] == study.statistics.scalar]
    parts = []
    for family, kind in families(study).items():
        reading, fraction = reading_of(tables, family)
        rows = at_reading(primary_rows, reading, fraction)
        controls = controls_of(study, family)
        rows = rows[(rows["family"] == family) | rows["tier"].isin(controls)]
        place, measure = _places(tables, family, kind)
        for tier, runs in rows.groupby("tier", sort=False):
            of = study.tier(controls.get(tier, tier))
            shown = reading, fraction
            if (
                tier in controls and runs["value"].isna().all()
            ):  # shuffled labels rarely reach the matched loss
                shown = "last", None
                runs = at_reading(primary_rows[primary_rows["tier"] == tier], *shown)
            runs = runs.dropna(subset=["value"])
            values = runs["value"]
            if values.empty or of.name not in place:
                continue
            several = len(values) > 1
            error = values.std(ddof=1) / np.sqrt(len(values)) if several else runs["standard_error"].iloc[0]
            parts.append(
                {
                    "family": family,
                    "tier": tier,
                    "level": of.level,
                    "draw": of.draw,
                    "control": "shuffled" if tier in controls else "",
                    "reading": reading_name(*shown),
                    "measure": measure or "level",
                    "complexity": place[of.name],
                    "value": values.mean(),
                    "standard_error": error,
                    "interval": "seeds" if several else "images",
                    "seeds": len(values),
                    "untrained": runs["untrained"].mean(),
                }
            )
    return pd.DataFrame(parts)


def fit(rows: pd.DataFrame, confidence: float) -> Line | None:
    """Fit a line through a family's draws; None below five draws, or where complexity has names only."""
    rows = rows[(rows["control"] == "") & (rows["measure"] != "level")]
    x, y = rows["complexity"].to_numpy(), rows["value"].to_numpy()
    if len(x) < FEWEST_DRAWS or np.ptp(x) == 0:
        return None
    spread = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * y).sum() / spread
    free = len(x) - 2
    variance = ((y - y.mean() - slope * (x - x.mean())) ** 2).sum() / free
    wide = student.ppf((1 + confidence) / 2, free)
    at = np.linspace(x.min(), x.max(), 41)
    band = wide * np.sqrt(variance * (1 / len(x) + (at - x.mean()) ** 2 / spread))
    half = wide * np.sqrt(variance / spread)
    value = y.mean() + slope * (at - x.mean())
    return Line(slope, slope - half, slope + half, at, value, band, len(x))


def _places(tables: Tables, family: str, kind: str) -> tuple[dict[str, float], str | None]:
    """Where each tier of a family stands on the complexity axis, and the measure (None: number of the level)."""
    measure = PRIMARY_MEASURE[kind]
    rows = tables.complexity[
        (tables.complexity["family"] == family) & (tables.complexity["measure"] == measure)
    ]
    values = rows.dropna(subset=["value"]).set_index("tier")["value"].to_dict()
    if measure and values:
        return values, measure
    levels = levels_of(tables.study, family)
    tiers = [tier for tier in tables.study.list_tiers() if tier.family == family]
    return {tier.name: float(levels.index(tier.level)) for tier in tiers}, None


def _panel(axes: Axes, rows: pd.DataFrame, line: Line | None, levels: list[str]) -> None:
    untrained = rows["untrained"].mean()
    axes.axhline(untrained, color=GREY, linestyle="--", linewidth=0.9, label="untrained", zorder=1)
    if line:
        low, high = line.value - line.band, line.value + line.band
        axes.fill_between(line.at, low, high, color="#dddddd", linewidth=0, zorder=0, label="interval")
        axes.plot(line.at, line.value, color="black", linewidth=1, zorder=2)
    style = {"fmt": "o", "capsize": 1.5, "elinewidth": 0.8, "zorder": 3}
    for control, label, face in (("", "draw", OKABE_ITO[0]), ("shuffled", "shuffled labels", "white")):
        points = rows[rows["control"] == control]
        if not points.empty:
            colour = OKABE_ITO[1] if control else OKABE_ITO[0]
            axes.errorbar(
                points["complexity"], points["value"], points["standard_error"],
                color=colour, markerfacecolor=face, label=label, **style,
            )  # fmt: skip
    measure = rows["measure"].iloc[0]
    if measure == "level":
        axes.set_xticks(range(len(levels)), levels)
        axes.set_xlim(-0.5, len(levels) - 0.5)
        axes.set_xlabel("level")
    elif measure == "log2_classes":
        places = sorted(set(rows["complexity"].round(6)))
        ticks = places[:1]
        for place in places[1:]:  # numbers need room
            if place - ticks[-1] >= (places[-1] - places[0]) / 7:
                ticks.append(place)
        axes.set_xticks(ticks, [f"{2**place:.0f}" for place in ticks])
        axes.set_xlabel("number of classes (log2)")
    else:
        axes.set_xlabel(f"{COMPLEXITY_NAMES[measure]} (mean over pairs)")
    axes.margins(x=0.12, y=0.15)
    lowest, highest = axes.get_ylim()
    entries = len(axes.get_legend_handles_labels()[0])
    axes.set_ylim(lowest, lowest + (highest - lowest) / (1 - 0.08 * -(-entries // 2) - 0.02))
    axes.legend(loc="upper left", ncols=2, columnspacing=0.8)


def _result(rows: pd.DataFrame, line: Line | None) -> str:
    if line:
        per = " per doubling" if rows["measure"].iloc[0] == "log2_classes" else " per unit"
        return f"{signed(line.slope)} [{signed(line.lower)}, {signed(line.upper)}]{per}"
    if rows["measure"].iloc[0] == "level":
        return "levels by name: no slope"
    return f"too few draws: {FEWEST_DRAWS} needed for a slope"


def _finding(tables: Tables, data: pd.DataFrame, lines: dict[str, Line | None], unit: str) -> str:
    kinds = families(tables.study)
    name = SCALAR_NAMES[tables.study.statistics.scalar]
    unit = f" {unit}" if unit and unit != "1" else ""
    order = sorted(
        lines, key=lambda family: (lines[family] is None, list(PRIMARY_MEASURE).index(kinds[family]))
    )
    family = order[0]
    rows = data[(data["family"] == family) & (data["control"] == "")]
    line = lines[family]
    if line:
        by_classes = rows["measure"].iloc[0] == "log2_classes"
        per = (
            "doubling of the classes"
            if by_classes
            else f"unit of {COMPLEXITY_NAMES[rows['measure'].iloc[0]]}"
        )
        level = f"{100 * tables.study.statistics.confidence:g} % interval {signed(line.lower)} to {signed(line.upper)}"
        if line.lower > 0 or line.upper < 0:
            verb = "rises" if line.slope > 0 else "falls"
            return f"In {family} the {name} {verb} by {abs(line.slope):.2f}{unit} per {per} ({level})"
        return f"In {family} the {name} shows no clear trend: {signed(line.slope)}{unit} per {per} ({level})"
    by_level = rows.groupby("level", sort=False)["value"].mean()
    if len(by_level) == 1:
        return (
            f"The {name} of {family} {by_level.index[0]} is {by_level.iloc[0]:.1f}{unit}: one level, no trend"
        )
    few = "" if rows["measure"].iloc[0] == "level" else "Too few draws for a slope; "
    text = (
        f"{few}in {family} the {name} is lowest for {by_level.idxmin()} ({by_level.min():.1f}{unit}) "
        f"and highest for {by_level.idxmax()} ({by_level.max():.1f})"
    )
    return text[0].upper() + text[1:]


def _note(tables: Tables, data: pd.DataFrame, confidence: float) -> str:
    fewest, most = data["seeds"].min(), data["seeds"].max()
    seeds = plural(most, "seed") if fewest == most else f"{fewest}–{most} seeds"
    over = " or ".join(f"over {kind}" for kind in ("seeds", "images") if (data["interval"] == kind).any())
    late = set(data.loc[data["control"] != "", "reading"]) - set(data.loc[data["control"] == "", "reading"])
    hollow = " Hollow: shuffled labels" * bool((data["control"] != "").any())
    hollow += (", at the last checkpoint (they never reach that loss)." if late else ".") if hollow else ""
    readings = data[data["control"] == ""].groupby("reading", sort=False)["family"].unique()
    reading = "; ".join(
        name if len(readings) == 1 else f"{name}: {', '.join(found)}" for name, found in readings.items()
    )
    if "last checkpoint" in readings.index:
        reading += f" (where over {100 * MOST_UNREACHED:g} % of a family's runs never reach the matched loss)"
    return (
        f"Points: draws, mean over n = {seeds}; bars: ±1 standard error {over}. Line: least squares through "
        f"draws, with its {100 * confidence:g} % t interval from {FEWEST_DRAWS} draws on. Reading: {reading}.{hollow} "
        f"{sources(tables.study)}"
    )
