"""Ring order: which rings of the profile reach half of their change first, the low or the high ones? (METHODS 3)"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.stats import rankdata

from .levels import by_level, clear_rule, listed, of_runs
from .shown import families, levels_of, measured, sources
from .style import frame, grid, level_colours, plural, short, signed, styled
from .tables import Tables

MOST_PANELS, MOST_LINES = 9, 8
FEWEST_RINGS = 4
"""Rings with a time, below which an order says nothing."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the time to half of its change for each ring, a panel per family and a line per level.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, ring (cycles/image), step (mean over the runs whose ring changed), changed, runs (counts); rho,
        rho_standard_error, rho_interval, rho_reach (half of the t interval),
        rho_draws, rho_runs: rank correlation of ring and time, by level.
    """
    data = order_table(tables)
    present = [family for family in families(tables.study) if family in set(data["family"])]
    shown = present[:MOST_PANELS]
    columns = 2 if len(shown) in (2, 4) else 3
    figure, panels = grid(max(len(shown), 1), columns, 58)
    for place, (axes, family) in enumerate(zip(panels, shown, strict=False)):
        rows = data[data["family"] == family]
        levels = [level for level in levels_of(tables.study, family) if level in set(rows["level"])]
        _panel(axes, rows, levels)
        axes.set_title(family, pad=3)
        if place % columns == 0:
            axes.set_ylabel("step of half the change")
    most = {family: rows["level"].nunique() for family, rows in data.groupby("family", sort=False)}
    left = [
        f"{family} shows {MOST_LINES} of {count} levels"
        for family, count in most.items()
        if count > MOST_LINES
    ]
    left += [f"left out for room: {', '.join(present[MOST_PANELS:])}"] if len(present) > MOST_PANELS else []
    frame(figure, finding(data), _note(tables, data) + (f" {'; '.join(left)}." if left else ""))
    return figure, data


def order_table(tables: Tables) -> pd.DataFrame:
    """Return when rings reach half of their change, by level, with the rank correlation of ring and time."""
    study = tables.study
    rows = measured(tables, "gradient")
    rows = rows[rows["variable"] == "half_time"]
    orders = by_level(study, _orders(rows))
    parts = []
    for family in families(study):
        for level in levels_of(study, family):
            names = [tier.name for tier in study.list_tiers() if (tier.family, tier.level) == (family, level)]
            of_ring = rows[rows["tier"].isin(names)].groupby("at")["value"]
            table = of_ring.agg(step="mean", changed="count", runs="size").reset_index(names="ring")
            own = orders[(orders["family"] == family) & (orders["level"] == level)]
            for name in ("value", "standard_error", "interval", "reach", "draws", "runs"):
                column = "rho" if name == "value" else f"rho_{name}"
                table[column] = own[name].iloc[0] if len(own) else (None if name == "interval" else np.nan)
            parts.append(table.assign(family=family, level=level))
    data = pd.concat(parts, ignore_index=True)
    return data[["family", "level", *[name for name in data.columns if name not in ("family", "level")]]]


def rank_correlation(ring: np.ndarray, time: np.ndarray) -> float:
    """Return Spearman's ρ of ring and time; NaN below four rings, or where all times are the same.

    >>> rank_correlation(np.array([1, 2, 3, 4]), np.array([10.0, 20.0, 30.0, 90.0]))
    1.0
    """
    if len(ring) < FEWEST_RINGS or np.ptp(time) == 0:
        return float("nan")
    return float(np.round(np.corrcoef(rankdata(ring), rankdata(time))[0, 1], 12))


def finding(data: pd.DataFrame) -> str:
    """Say in how many levels low rings come first, in how many high ones."""
    orders = data.drop_duplicates(["family", "level"])
    orders = orders[orders["rho"].notna()]
    if orders.empty:
        return f"No level has {FEWEST_RINGS} rings whose share changes clearly, so there is no order of rings"
    judged = orders[orders["rho_standard_error"].notna()]
    clear = judged[judged["rho"].abs() > judged["rho_reach"]]
    told = next(rows for rows in (clear, judged, orders) if len(rows))
    most = told.loc[told["rho"].abs().idxmax()]
    numbers = f"ρ of ring and time up to {signed(most['rho'])}, in {most['family']} {most['level']}"
    if judged.empty:
        return f"With one run per level no order of rings is judged ({numbers})"
    low, high = int((clear["rho"] > 0).sum()), int((clear["rho"] < 0).sum())
    total = plural(len(judged), "level")
    if clear.empty:
        return f"Neither low nor high rings change clearly first, in any of {total} ({numbers})"
    said = [f"low rings change first in {low}"] if low else []
    said += [f"high rings {'' if low else 'change '}first in {high}"] if high else []
    text = f"{listed(said)} of {total}"
    if len(clear) < len(judged):
        text += f", no clear order in {len(judged) - len(clear)}"
    return f"{text[0].upper()}{text[1:]} ({numbers})"


def _orders(rows: pd.DataFrame) -> pd.DataFrame:
    """ρ of every run."""
    found = []
    for (tier, seed), own in rows.groupby(["tier", "seed"], sort=False):
        own = own[own["value"].notna()]
        rho = rank_correlation(own["at"].to_numpy(), own["value"].to_numpy())
        found.append({"tier": tier, "seed": seed, "value": rho, "standard_error": np.nan})
    return pd.DataFrame(found, columns=["tier", "seed", "value", "standard_error"])


def _panel(axes: Axes, rows: pd.DataFrame, levels: list[str]) -> None:
    if len(levels) > MOST_LINES:
        levels = [levels[round(place)] for place in np.linspace(0, len(levels) - 1, MOST_LINES)]
    for level, colour in level_colours(levels).items():
        line = rows[(rows["level"] == level) & (rows["changed"] > 0)]
        rho = rows.loc[rows["level"] == level, "rho"].iloc[0]
        said = f"{level}: {signed(rho)}" if np.isfinite(rho) else level
        axes.plot(line["ring"], line["step"], color=colour, linewidth=0.7, zorder=1)
        most = line["changed"] == line["runs"]
        axes.plot(line["ring"][most], line["step"][most], "o", color=colour, label=said, markersize=3.2)
        axes.plot(
            line["ring"][~most],
            line["step"][~most],
            "o",
            color=colour,
            markerfacecolor="white",
            markersize=3.2,
        )
    axes.set_yscale("function", functions=(np.log1p, np.expm1))
    known = rows["step"].dropna()
    least, last = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    ticks = [0.0, *(tick for k in range(8) for tick in (10.0**k, 3 * 10.0**k) if tick <= 1.3 * last)]
    axes.set_yticks(ticks[-6:], [short(tick) for tick in ticks[-6:]])
    axes.minorticks_off()
    low, high = np.log1p(0.8 * least), np.log1p(1.15 * max(last, 1.0))
    head = 0.085 * -(-len(levels) // 2) + 0.03
    axes.set_ylim(np.expm1(low), np.expm1(low + (high - low) / (1 - head)))
    axes.set_xlim(rows["ring"].min() - 0.7, rows["ring"].max() + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.set_xlabel("spatial frequency (cycles/image)")
    axes.legend(loc="upper left", ncols=2, columnspacing=0.8)


def _note(tables: Tables, data: pd.DataFrame) -> str:
    orders = data.drop_duplicates(["family", "level"])
    orders = orders[orders["rho"].notna()].rename(
        columns={f"rho_{name}": name for name in ("draws", "interval")}
        | {"runs": "rings", "rho_runs": "runs"}
    )
    over = f" ({of_runs(orders)})" if len(orders) else ""
    return (
        f"Points: first step (log(1 + step) scale) at which a ring’s share of gradient power is halfway from its first "
        f"to its last value, mean over the runs in which that change exceeds 3 standard errors; open: not all runs. "
        f"Numbers: Spearman’s ρ of ring and time, mean over runs{over}. {clear_rule(tables.study)} "
        f"Positive: low rings first. No interval on points. {sources(tables.study)}"
    )
