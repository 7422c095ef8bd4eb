"""Paths: how fast outputs change on the way from image to image, within and between classes (METHODS 4)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .levels import by_level, clear_rule, of_runs
from .shown import families, levels_of, measured, primary_recipes
from .style import (
    GREY,
    OKABE_ITO,
    TWO_COLUMNS,
    canvas,
    frame,
    level_colours,
    plural,
    power,
    signed,
    styled,
    training_axis,
)
from .tables import Tables

MOST_FAMILIES, MOST_NAMES = 4, 6
COLOURS = {"within": OKABE_ITO[0], "between": OKABE_ITO[1]}


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per family: spectra within and between classes above, the difference of centroids below.

    Returns
    -------
    figure : Figure
    data : DataFrame
        family, level, quantity (`share`, `within_centroid`, `between_centroid`, `centroid_difference`), pair, cycle,
        step, value, standard_error, interval, reach (half of the t interval), draws, runs.
    """
    data = path_table(tables)
    present = [family for family in families(tables.study) if family in set(data["family"])]
    shown = present[:MOST_FAMILIES]
    figure = canvas(TWO_COLUMNS, 96)
    panels = figure.subplots(2, max(len(shown), 1), squeeze=False)
    for place, family in enumerate(shown):
        rows = data[data["family"] == family]
        levels = [level for level in levels_of(tables.study, family) if level in set(rows["level"])]
        _spectra(panels[0, place], rows, legend=place == 0)
        _differences(panels[1, place], rows, levels)
        panels[0, place].set_title(f"{family} (mean over its levels)", pad=3)
    panels[0, 0].set_ylabel("share of power")
    panels[1, 0].set_ylabel("between − within\n(cycles/path)")
    left_out = f" Left out for room: {', '.join(present[MOST_FAMILIES:])}." * (len(present) > len(shown))
    frame(figure, finding(data), _note(tables, data) + left_out)
    return figure, data


def path_table(tables: Tables) -> pd.DataFrame:
    """Return spectra of paths at the first and the last checkpoint, and centroids at all, by level."""
    rows = measured(tables, "paths").rename(columns={"of": "pair", "at": "cycle"})
    parts = []
    for quantity in ("share", "within_centroid", "between_centroid", "centroid_difference"):
        own = rows[rows["variable"] == f"softmax_{quantity}"]
        keys = ["pair", "cycle", "step"] if quantity == "share" else ["step"]
        part = by_level(tables.study, own, keys)
        part.insert(2, "quantity", quantity)
        parts.append(part)
    data = pd.concat([part for part in parts if len(part)], ignore_index=True)
    order = ["family", "level", "quantity", "pair", "cycle", "step"]
    return data[[*order, *[name for name in data.columns if name not in order]]]


def finding(data: pd.DataFrame) -> str:
    """Say in how many levels outputs change faster between classes than within at the last checkpoint."""
    rows = data[data["quantity"] == "centroid_difference"]
    if rows.empty:
        return "No level has paths along which outputs change"
    last = rows[rows["step"] == rows.groupby(["family", "level"])["step"].transform("max")]
    clear = last[last["value"].abs() > last["reach"]]
    told = clear if len(clear) else last
    most = told.loc[told["value"].abs().idxmax()]
    numbers = f"{signed(most['value'])} cycles/path in {most['family']} {most['level']}"
    total = plural(len(last), "level")
    if clear.empty:
        return (
            f"At the last checkpoint outputs change at no clearly different frequency between classes than within, in "
            f"{total} (at most {numbers})"
        )
    faster, slower = int((clear["value"] > 0).sum()), int((clear["value"] < 0).sum())
    said = [f"at higher frequencies in {faster}"] if faster else []
    said += (
        [f"at lower ones in {slower}" if faster else f"at lower frequencies in {slower}"] if slower else []
    )
    rest = len(last) - len(clear)
    return (
        f"At the last checkpoint outputs change between classes, against within, {' and '.join(said)} of {total}"
        f"{f', not clearly in {rest}' if rest else ''} (at most {numbers})"
    )


def _spectra(axes: Axes, rows: pd.DataFrame, legend: bool) -> None:
    share = rows[rows["quantity"] == "share"]
    ends = sorted(set(share["step"]))
    mean = share.groupby(["pair", "step", "cycle"])["value"].mean()
    for pair, colour in COLOURS.items():
        for step, style in ((ends[0], "--"), (ends[-1], "-")) if ends else ():
            if (pair, step) in mean.index:
                line = mean.loc[pair, step]
                when = "untrained" if step == 0 else "trained"
                axes.plot(line.index, line, style, color=colour, label=f"{pair}, {when}", linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter(power)
    axes.minorticks_off()
    axes.set_xlabel("response frequency (cycles/path)")
    if legend:
        axes.legend(loc="lower left")


def _differences(axes: Axes, rows: pd.DataFrame, levels: list[str]) -> None:
    axes.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    own = rows[rows["quantity"] == "centroid_difference"]
    named = levels if len(levels) <= MOST_NAMES else [levels[0], levels[len(levels) // 2], levels[-1]]
    for level, colour in level_colours(levels).items():
        line = own[own["level"] == level].sort_values("step")
        label = level if level in named else None
        axes.plot(line["step"], line["value"], color=colour, marker="o", markersize=2, label=label)
        low, high = line["value"] - line["standard_error"], line["value"] + line["standard_error"]
        axes.fill_between(line["step"], low, high, color=colour, alpha=0.15, linewidth=0)
    training_axis(axes, own["step"].tolist() or [1], label=False, most=4)
    axes.set_xlim(0, max(own["step"].max(), 1) if len(own) else 1)
    axes.set_xlabel("optimiser step")
    axes.margins(y=0.1)
    lowest, highest = axes.get_ylim()
    axes.set_ylim(lowest, lowest + (highest - lowest) / (1 - 0.1 * -(-len(named) // 3) - 0.02))
    axes.legend(loc="upper left", ncols=3, columnspacing=0.8)


def _note(tables: Tables, data: pd.DataFrame) -> str:
    paths = measured(tables, "paths")["n"]
    count = f"{paths.min()}" if paths.min() == paths.max() else f"{paths.min()}–{paths.max()}"
    return (
        f"Frequencies of the function from images to probabilities along straight lines ({count} paths per run), not "
        f"of images. Above: mean share of power, no interval; dashed: untrained. Below: difference of centroids over "
        f"training (log(1 + step)), mean over draws (seeds averaged), bands: {of_runs(data)}. "
        f"{clear_rule(tables.study)} Recipe {primary_recipes(tables.study)}."
    )
