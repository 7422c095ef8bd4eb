"""Learning: validation accuracy and training loss of every tier over training, with the matched loss marked."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .shown import controls_of, families, levels_of, of_primary_recipes, primary_recipes
from .style import (
    CONTROL,
    GREY,
    ONE_COLUMN,
    TWO_COLUMNS,
    canvas,
    frame,
    level_colours,
    plural,
    styled,
    training_axis,
)
from .tables import Tables

MOST_FAMILIES, COLUMNS, MOST_NAMES = 8, 4, 8
"""Families that fit a page, side by side, and levels that fit a legend."""

CURVES = {
    "corrected_accuracy": "chance-corrected\nvalidation accuracy",
    "loss_fraction": "loss ÷ label entropy",
}
"""Columns of the history that are drawn, and their axes."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per family: accuracy above, loss below, a line per tier.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, tier, control, step, runs, then mean and standard error over seeds of both curves.
    """
    data = learning_table(tables)
    present = list(dict.fromkeys(data["family"]))
    shown = present[:MOST_FAMILIES]
    left_out = (
        f" Left out for room: {', '.join(present[MOST_FAMILIES:])}." if len(present) > len(shown) else ""
    )
    data = data[data["family"].isin(shown)].reset_index(drop=True)
    columns = min(len(shown), COLUMNS)
    blocks = -(-len(shown) // columns)
    figure = canvas(ONE_COLUMN if len(shown) == 1 else TWO_COLUMNS, blocks * 78)
    grid = figure.subplots(2 * blocks, columns, squeeze=False, sharey=False)
    fraction = tables.study.statistics.matched_fraction
    for place in range(blocks * columns):
        pair = grid[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
        if place >= len(shown):
            for axes in pair:
                axes.remove()
            continue
        _pair(pair, data[data["family"] == shown[place]], levels_of(tables.study, shown[place]), fraction)
        pair[0].set_title(shown[place], pad=3)
        if place % columns == 0:
            for axes, label in zip(pair, CURVES.values(), strict=True):
                axes.set_ylabel(label)
    recipes = primary_recipes(tables.study)
    frame(figure, _finding(tables, shown, fraction), _note(data, recipes, fraction) + left_out)
    return figure, data


def learning_table(tables: Tables) -> pd.DataFrame:
    """Return learning curves of the primary recipes, mean and standard error over seeds, a row per tier and step."""
    study = tables.study
    curves = of_primary_recipes(study, tables.learning)
    parts = []
    for family in families(study):
        own = [tier.name for tier in study.list_tiers() if tier.family == family]
        controls = controls_of(study, family)
        for name in [*own, *controls]:
            by_step = curves[curves["tier"] == name].groupby("step")
            if by_step.ngroups == 0:
                continue
            count = by_step["seed"].nunique()
            columns = {}
            for curve in CURVES:
                columns[curve] = by_step[curve].mean()
                columns[f"{curve}_standard_error"] = by_step[curve].std(ddof=1) / np.sqrt(count)
            rows = pd.DataFrame(columns)[count == count.max()].reset_index()
            rows.insert(1, "runs", int(count.max()))
            facts = {
                "family": family,
                "level": study.tier(controls.get(name, name)).level,
                "tier": name,
                "control": "shuffled" if name in controls else "",
            }
            for column, value in reversed(facts.items()):
                rows.insert(0, column, value)
            parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _pair(pair: np.ndarray, data: pd.DataFrame, levels: list[str], fraction: float) -> None:
    colours = level_colours(levels)
    for axes, curve in zip(pair, CURVES, strict=True):
        for _, line in data.groupby("tier", sort=False):
            control = bool(line["control"].iloc[0])
            colour = CONTROL if control else colours[line["level"].iloc[0]]
            axes.plot(line["step"], line[curve], color=colour, linestyle=":" if control else "-", linewidth=1)
            low = line[curve] - line[f"{curve}_standard_error"]
            high = line[curve] + line[f"{curve}_standard_error"]
            axes.fill_between(line["step"], low, high, color=colour, alpha=0.15, linewidth=0)
        training_axis(axes, data["step"].tolist(), label=False, most=4)
        axes.set_xlim(0, data["step"].max())
    pair[1].set_xlabel("optimiser step")
    pair[1].axhline(fraction, color=GREY, linestyle="--", linewidth=0.9)
    pair[1].text(
        0.01,
        fraction,
        " matched",
        transform=pair[1].get_yaxis_transform(),
        va="bottom",
        ha="left",
        color=GREY,
    )
    pair[1].set_ylim(0, min(max(data["loss_fraction"].max(), 1.0), 1.5) * 1.08)
    pair[0].set_ylim(min(-0.05, data["corrected_accuracy"].min() - 0.02), 1.02)
    named = levels
    if len(levels) > MOST_NAMES:
        named = [levels[round(place)] for place in np.linspace(0, len(levels) - 1, MOST_NAMES)]
    for level in named:
        pair[0].plot([], [], color=colours[level], label=level)
    if (data["control"] != "").any():
        pair[0].plot([], [], color=CONTROL, linestyle=":", label="shuffled")
    pair[0].legend(loc="upper left", ncols=1 if len(named) <= 4 else 2, columnspacing=0.8)


def _finding(tables: Tables, shown: list[str], fraction: float) -> str:
    curves = of_primary_recipes(tables.study, tables.learning)
    own = [tier.name for tier in tables.study.list_tiers() if tier.family in shown]
    curves = curves[curves["tier"].isin(own)]
    runs = curves.groupby(["tier", "seed"], sort=False)
    reached = curves[curves["loss_fraction"] <= fraction].groupby(["tier", "seed"], sort=False)["step"].min()
    text = f"{len(reached)} of {plural(runs.ngroups, 'run')} reach the matched loss ({fraction:g} of label entropy)"
    if reached.empty:
        return text.replace("0 of", "None of", 1)
    if len(reached) == runs.ngroups > 1:
        text = text.replace(
            f"{runs.ngroups} of {runs.ngroups}", "Both" if runs.ngroups == 2 else f"All {runs.ngroups}", 1
        )
    by_tier = reached.groupby(level=0, sort=False).mean()
    if len(by_tier) == 1 or by_tier.min() == by_tier.max():
        return f"{text}, by step {by_tier.min():.0f}"
    return (
        f"{text}; first {by_tier.idxmin()} (by step {by_tier.min():.0f}), "
        f"last {by_tier.idxmax()} (by step {by_tier.max():.0f})"
    )


def _note(data: pd.DataFrame, recipes: str, fraction: float) -> str:
    most, least = data["runs"].max(), data["runs"].min()
    runs = plural(most, "seed") if most == least else f"{least}–{most} seeds"
    bands = "bands: ±1 standard error over seeds" if most > 1 else "no bands (one seed)"
    return (
        f"Lines: tiers, mean over n = {runs}; {bands}. Accuracy: (accuracy − chance) ÷ (1 − chance). Loss: "
        f"cross-entropy on fixed training images in evaluation mode; dashed: the matched loss, {fraction:g}. Steps on "
        f"log(1 + step). Recipe {recipes}."
    )
