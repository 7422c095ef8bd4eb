"""Shortcuts: are classes recognised by their dominant frequencies alone, in and out of distribution? (METHODS 5)"""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..config.instances import masks_of, of_measure
from .style import GREY, TWO_COLUMNS, canvas, frame, level_colours, plural, styled
from .tables import Tables

MOST_TIERS, MOST_INSTANCES, MOST_CLASSES, MOST_RECIPES = 3, 3, 10, 7
"""What one page can show."""
MEANS = ("tpr", "fpr", "dc_tpr", "clean_tpr")


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the true- and the false-positive rate of each class and recipe, a row per tier and a column per instance.

    Returns
    -------
    figure : Figure
    data : DataFrame
        tier, recipe, instance, class, mask, runs, then mean, smallest and largest over seeds of tpr, fpr, dc_tpr and
        clean_tpr, and `shortcuts`, the number of runs in which the class has one.
    """
    data = class_table(tables)
    tiers, instances, recipes = (list(dict.fromkeys(data[name])) for name in ("tier", "instance", "recipe"))
    tiers, instances, recipes = tiers[:MOST_TIERS], instances[:MOST_INSTANCES], recipes[:MOST_RECIPES]
    figure = canvas(TWO_COLUMNS, 46.0 * len(tiers))
    panels = figure.subplots(len(tiers), len(instances), squeeze=False, sharey=True, sharex="row")
    colours = level_colours(recipes)
    threshold = tables.shortcuts.by_class["threshold"].iloc[0]
    hidden = 0
    for row, tier in zip(panels, tiers, strict=True):
        classes = list(dict.fromkeys(data.loc[data["tier"] == tier, "class"]))
        hidden = max(hidden, len(classes) - MOST_CLASSES)
        for axes, instance in zip(row, instances, strict=True):
            cells = data[(data["tier"] == tier) & (data["instance"] == instance)]
            _panel(axes, cells, classes[:MOST_CLASSES], recipes, colours, threshold)
            axes.set_title(f"{tier}: {_where(tables, instance)}", pad=3)
        row[0].set_ylabel("part of images")
    _legend(panels[0, -1], colours)
    frame(figure, finding(tables), _note(tables, data, max(hidden, 0)))
    return figure, data


def class_table(tables: Tables) -> pd.DataFrame:
    """Return the points: mean and range over seeds of each class, recipe, instance and tier, of the headline mask."""
    rows = tables.shortcuts.by_class
    cells = rows[rows["headline"]].groupby(["tier", "recipe", "instance", "class", "mask"], sort=False)
    columns = {"runs": cells.size(), "shortcuts": cells["shortcut"].sum()}
    for name in MEANS:
        columns |= {
            name: cells[name].mean(),
            f"{name}_min": cells[name].min(),
            f"{name}_max": cells[name].max(),
        }
    found = pd.DataFrame(columns).reset_index()
    order = {name: place for place, name in enumerate(tables.study.recipes)}
    return found.sort_values("recipe", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def finding(tables: Tables) -> str:
    """Say how many classes of the first tier have a shortcut with its first recipe, and how many elsewhere."""
    study, summary = tables.study, tables.shortcuts.summary
    summary = summary[summary["headline"]]
    tier, recipe = summary["tier"].iloc[0], summary["recipe"].iloc[0]
    own = summary[(summary["tier"] == tier) & (summary["recipe"] == recipe)]

    def mean_of(instance: str, quantity: str) -> float:
        return own[(own["instance"] == instance) & (own["quantity"] == quantity)]["mean"].iloc[0]

    parts = []
    for source in (name for name in of_measure(study, "shortcuts") if masks_of(study.measures[name]) is None):
        total = int(own.loc[own["instance"] == source, "classes"].iloc[0])
        there = [
            f"{mean_of(name, 'transferred'):.3g} ({mean_of(name, 'selective'):.3g}) {_where(tables, name)}"
            for name in of_measure(study, "shortcuts")
            if masks_of(study.measures[name]) == source
        ]
        parts.append(
            f"{mean_of(source, 'shortcuts'):.3g} of {total} classes ({mean_of(source, 'selective'):.3g} with few false "
            f"positives) are recognised by their dominant frequencies alone {_where(tables, source)}"
            + (f"; of these {' and '.join(there)}" if there else "")
        )
    return f"With {recipe}, {'. '.join(parts)} ({tier}, mean over seeds)"


def _where(tables: Tables, instance: str) -> str:
    probe = tables.study.measures[instance].probe
    return f"on {probe.dataset}" if probe else "in distribution"


def _panel(
    axes: Axes,
    cells: pd.DataFrame,
    classes: list[str],
    recipes: list[str],
    colours: dict[str, str],
    threshold: float,
) -> None:
    offsets = (np.arange(len(recipes)) - (len(recipes) - 1) / 2) * 0.8 / max(len(recipes), 2)
    for recipe, offset in zip(recipes, offsets, strict=True):
        for point in cells[cells["recipe"] == recipe].to_dict("records"):
            if point["class"] not in classes:
                continue
            place, colour = classes.index(point["class"]) + offset, colours[recipe]
            for rate, line in (("tpr", "-"), ("fpr", ":")):
                ends = [point[f"{rate}_min"], point[f"{rate}_max"]]
                axes.plot([place, place], ends, color=colour, linewidth=0.8, linestyle=line)
            axes.plot(place, point["tpr"], "o", color=colour)
            axes.plot(place, point["fpr"], "v", color=colour, markerfacecolor="white")
    axes.axhline(threshold, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    for edge in np.arange(len(classes) - 1) + 0.5:
        axes.axvline(edge, color="#e6e6e6", linewidth=0.6, zorder=0)
    axes.set_xlim(-0.5, len(classes) - 0.5)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks(range(len(classes)), [_short(name) for name in classes])
    axes.tick_params(axis="x", length=0)


def _short(name: str) -> str:
    """A class name on lines that fit beside each other."""
    return "\n".join(textwrap.wrap(name.replace("-", " "), 10)[:4])


def _legend(axes: Axes, colours: dict[str, str]) -> None:
    handles = [Line2D([], [], color=colour, marker="o", label=recipe) for recipe, colour in colours.items()]
    handles += [
        Line2D([], [], color=GREY, marker="o", linestyle="", label="true positives"),
        Line2D(
            [], [], color=GREY, marker="v", markerfacecolor="white", linestyle="", label="false positives"
        ),
        Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="threshold"),
    ]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5))


def _note(tables: Tables, data: pd.DataFrame, hidden: int) -> str:
    runs, masks = data["runs"], " or ".join(dict.fromkeys(data["mask"]))
    count = plural(int(runs.max()), "seed") if runs.nunique() == 1 else f"{runs.min()}–{runs.max()} seeds"
    images = tables.shortcuts.by_class["n"]
    shown = {"tier": MOST_TIERS, "instance": MOST_INSTANCES, "recipe": MOST_RECIPES}
    left = [
        plural(data[name].nunique() - most, name)
        for name, most in shown.items()
        if data[name].nunique() > most
    ]
    left += [f"{hidden} of a tier’s classes"] if hidden else []
    tried = "; elsewhere those are tried that were found in distribution" if _tried(tables) else ""
    return (
        f"Points: mean over {count}, bars from the smallest to the largest; last checkpoint; "
        f"{images.min()}–{images.max()} images of a class. Kept: DC and the class’s dominant frequencies ({masks})"
        f"{tried}. False positives: other images that are then taken for the class; few: not more than the threshold."
        + (f" Left out for room: {', '.join(left)}." if left else "")
    )


def _tried(tables: Tables) -> bool:
    measures = tables.study.measures
    return any(masks_of(measures[name]) is not None for name in of_measure(tables.study, "shortcuts"))
