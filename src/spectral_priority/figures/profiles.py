"""Profiles: the share of gradient power per ring at the last checkpoint, by level of each family (METHODS 3)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .shown import controls_of, families, levels_of, sources
from .style import CONTROL, GREY, frame, grid, level_colours, plural, styled
from .tables import Tables

MOST_PANELS, MOST_LINES = 9, 8
"""Families and levels that one figure can show."""

INTERVALS = {"draws": "draws", "seeds": "seeds", "images": "probe images"}
"""What a band's standard error is taken over, in words."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the profiles of each family's levels, with the untrained model and the control.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, state (`trained`, `untrained`, `control`), ring (cycles/image), cycles_per_pixel, share,
        standard_error, interval (what it is over), draws, runs.
    """
    data = profile_table(tables)
    present = list(dict.fromkeys(data["family"]))
    shown, notes = present[:MOST_PANELS], []
    figure, panels = grid(len(shown), 2 if len(shown) in (2, 4) else 3, 58)
    for axes, family in zip(panels, shown, strict=True):
        rows = data[data["family"] == family]
        levels = list(dict.fromkeys(rows.loc[rows["state"] == "trained", "level"]))
        if len(levels) > MOST_LINES:
            kept = [levels[round(place)] for place in np.linspace(0, len(levels) - 1, MOST_LINES)]
            notes.append(f"{family} shows {MOST_LINES} of {len(levels)} levels.")
            rows = rows[(rows["state"] != "trained") | rows["level"].isin(kept)]
            levels = kept
        _panel(axes, rows, levels)
        axes.set_title(family, pad=10)
    for axes in panels[:: 2 if len(shown) in (2, 4) else 3]:
        axes.set_ylabel("share of gradient power in the ring")
    if len(present) > len(shown):
        notes.append(f"Left out for room: {', '.join(present[MOST_PANELS:])}.")
    data = data[data["family"].isin(shown)]
    frame(figure, _finding(data), " ".join([_note(tables, data), *notes]))
    return figure, data.reset_index(drop=True)


def profile_table(tables: Tables) -> pd.DataFrame:
    """Return the profiles behind the figure: seeds averaged within draws, draws averaged within levels."""
    study, runs = tables.study, tables.profiles
    last = runs[runs["step"] == runs.groupby("tier")["step"].transform("max")]
    untrained = runs[runs["step"] == 0]
    by_family: dict[str, list[tuple[str, int]]] = {}
    for tier in study.list_tiers():
        by_family.setdefault(tier.family, []).append((tier.level, tier.name))
    parts = []
    for family in families(study):
        tiers = by_family[family]
        for level in levels_of(study, family):
            names = [name for found, name in tiers if found == level]
            parts.append(_mean(last, names, family, level, "trained"))
        parts.append(_mean(untrained, [name for _, name in tiers], family, "", "untrained"))
        parts.append(_mean(last, list(controls_of(study, family)), family, "", "control"))
    return pd.concat([part for part in parts if not part.empty], ignore_index=True)


def centroid_of(rows: pd.DataFrame) -> float:
    """Return Σ r·S(r) ÷ Σ S(r) of one profile, in cycles/image."""
    return float((rows["ring"] * rows["share"]).sum() / rows["share"].sum())


def _mean(runs: pd.DataFrame, tiers: list[str], family: str, level: str, state: str) -> pd.DataFrame:
    rows = runs[runs["tier"].isin(tiers)]
    if rows.empty:
        return pd.DataFrame()
    shares = rows.pivot_table(index="ring", columns=["tier", "seed"], values="share")
    draws = shares.T.groupby(level="tier").mean().T
    if draws.shape[1] > 1:
        interval, error = "draws", draws.std(axis=1, ddof=1) / np.sqrt(draws.shape[1])
    elif shares.shape[1] > 1:
        interval, error = "seeds", shares.std(axis=1, ddof=1) / np.sqrt(shares.shape[1])
    else:
        interval, error = "images", rows.set_index("ring")["share_se"]
    mean = draws.mean(axis=1)
    return pd.DataFrame(
        {
            "family": family,
            "level": level,
            "state": state,
            "ring": mean.index,
            "cycles_per_pixel": mean.index / rows["size"].iloc[0],
            "share": mean.to_numpy(),
            "standard_error": error.reindex(mean.index).to_numpy(),
            "interval": interval,
            "draws": draws.shape[1],
            "runs": shares.shape[1],
        }
    )


def _panel(axes: Axes, rows: pd.DataFrame, levels: list[str]) -> None:
    colours = level_colours(levels)
    size = round((rows["ring"] / rows["cycles_per_pixel"]).iloc[0])
    for level in levels:
        line = rows[(rows["level"] == level) & (rows["state"] == "trained")]
        axes.plot(
            line["ring"], line["share"], color=colours[level], label=f"{level}: {centroid_of(line):.1f}"
        )
        low, high = line["share"] - line["standard_error"], line["share"] + line["standard_error"]
        axes.fill_between(line["ring"], low, high, color=colours[level], alpha=0.2, linewidth=0)
    for state, colour, style, label in (
        ("untrained", GREY, "--", "untrained"),
        ("control", CONTROL, ":", "shuffled"),
    ):
        line = rows[rows["state"] == state]
        if not line.empty:
            axes.plot(
                line["ring"],
                line["share"],
                color=colour,
                linestyle=style,
                label=f"{label}: {centroid_of(line):.1f}",
            )
    entries = len(axes.get_lines())
    axes.set_ylim(0, rows["share"].max() / (1 - 0.09 * -(-entries // 2) - 0.03))
    axes.set_xlim(rows["ring"].min(), rows["ring"].max())
    axes.set_xlabel("spatial frequency (cycles/image)")
    edges = [rows["ring"].min(), size / 6, size / 3, rows["ring"].max()]
    for start, end, name in zip(edges[:-1], edges[1:], ("low", "mid", "high"), strict=True):
        axes.text(
            (start + end) / 2,
            1.01,
            name,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
            color=GREY,
        )
        if name != "low":
            axes.axvline(start, color="#cccccc", linewidth=0.6, zorder=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.legend(loc="upper left", ncols=2, columnspacing=0.8)


def _finding(data: pd.DataFrame) -> str:
    trained = data[data["state"] == "trained"]
    centroids = pd.Series(
        {key: centroid_of(rows) for key, rows in trained.groupby(["family", "level"], sort=False)}
    )
    spread = centroids.groupby(level=0).agg(lambda values: values.max() - values.min())
    family = spread.idxmax()
    levels = centroids[family]
    if len(levels) == 1:
        untrained = data[(data["family"] == family) & (data["state"] == "untrained")]
        start = f", untrained at {centroid_of(untrained):.1f}" if not untrained.empty else ""
        return f"The centroid of {family} {levels.index[0]} ends at {levels.iloc[0]:.1f} cycles/image{start}"
    lead = f"Levels of {family} differ most: the centroid" if len(spread) > 1 else f"In {family} the centroid"
    return (
        f"{lead} ends lowest for {levels.idxmin()} ({levels.min():.1f} cycles/image) "
        f"and highest for {levels.idxmax()} ({levels.max():.1f})"
    )


def _note(tables: Tables, data: pd.DataFrame) -> str:
    trained = data[data["state"] == "trained"].drop_duplicates(["family", "level"])
    kinds = [f"over {INTERVALS[kind]}" for kind in INTERVALS if (trained["interval"] == kind).any()]
    many = " (where there is more than one, of " + ", else ".join(INTERVALS) + ")" if len(kinds) > 1 else ""
    draws, runs = (_range(trained[name]) for name in ("draws", "runs"))
    return (
        f"Last checkpoint, mean over the draws of a level (n = {plural_range(draws, 'draw')}, "
        f"{plural_range(runs, 'run')} per level); bands: ±1 standard error {' or '.join(kinds)}{many}. "
        f"Dashed: the untrained model. Numbers: centroids in cycles/image. "
        f"low ≤ N/6 < mid ≤ N/3 < high for N pixels. {sources(tables.study)}"
    )


def _range(values: pd.Series) -> str:
    return str(values.min()) if values.min() == values.max() else f"{values.min()}–{values.max()}"


def plural_range(count: str, noun: str) -> str:
    """Write a count, or a range of counts, with its noun.

    >>> plural_range("1", "draw"), plural_range("1–3", "draw")
    ('1 draw', '1–3 draws')
    """
    return plural(1, noun) if count == "1" else f"{count} {noun}s"
