"""Singular values: how weights, and their gradients, spread over directions during training (METHODS 6)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from ..config.instances import of_measure
from .levels import by_level, clear_rule, listed, of_runs
from .shown import families, levels_of, measured, primary_recipes
from .style import (
    SHARE_COLOURS,
    TWO_COLUMNS,
    canvas,
    frame,
    level_colours,
    plural,
    power,
    styled,
    training_axis,
)
from .tables import Tables

MOST_NAMES = 6
NAMES = {"weight-svd": "weights", "gradient-svd": "gradients"}
"""Measure → what its singular values are of."""
ROUNDING = 1e-5
"""Part of the largest singular value below which another is rounding: gradients of logits add up to zero."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw leading singular values of some layers of the study's first level, and the effective rank of its levels.

    Returns
    -------
    figure : Figure
    data : DataFrame
        of (`weights`, `gradients`), family, level, quantity (`singular_value`, or `effective_rank_share`, mean
        over layers), layer, index, step, value, standard_error, interval, reach (half of the t
        interval), draws, runs, unit.
    """
    data = singular_table(tables)
    kinds = list(dict.fromkeys(data["of"]))
    values = data[data["quantity"] == "singular_value"]
    layers = list(dict.fromkeys(values["layer"]))
    figure = canvas(TWO_COLUMNS, 48.0 * max(len(kinds), 1))
    panels = figure.subplots(max(len(kinds), 1), len(layers) + 1, squeeze=False)
    family = data["family"].iloc[0]
    levels = [level for level in levels_of(tables.study, family) if level in set(data["level"])]
    for row, kind in zip(panels, kinds, strict=False):
        own = data[data["of"] == kind]
        for axes, layer in zip(row, layers, strict=False):
            _values(axes, own[own["layer"] == layer])
            axes.set_title(f"{kind}: {_short(layer)}", pad=3)
        unit = own.loc[own["quantity"] == "singular_value", "unit"].iloc[0]
        row[0].set_ylabel("singular value" + (f"\n({unit})" if unit != "1" else ""))
        _ranks(row[-1], own[own["quantity"] == "effective_rank_share"], levels)
        row[-1].set_title(f"{kind}: all layers", pad=3)
        row[-1].set_ylabel("effective rank ÷ full rank")
    for axes in panels[-1]:
        axes.set_xlabel("optimiser step")
    frame(figure, finding(data), _note(tables, data))
    return figure, data


def singular_table(tables: Tables) -> pd.DataFrame:
    """Return leading singular values of the first level, and effective ranks of all levels of its family."""
    first = next(iter(families(tables.study)))
    parts = []
    for measure, name in NAMES.items():
        if not of_measure(tables.study, measure):
            continue
        rows = measured(tables, measure).rename(columns={"of": "layer", "at": "index"})
        for variable, keys in (
            ("singular_value", ["layer", "index", "step"]),
            ("mean_effective_rank_share", ["step"]),
        ):
            own = rows[rows["variable"] == variable]
            part = by_level(tables.study, own, keys)
            part = part[part["family"] == first]
            if variable == "singular_value":
                part = part[part["level"] == levels_of(tables.study, first)[0]]
            part.insert(0, "of", name)
            part.insert(3, "quantity", variable.removeprefix("mean_"))
            parts.append(part.assign(unit=own["unit"].iloc[0] if len(own) else "1"))
    data = pd.concat([part for part in parts if len(part)], ignore_index=True)
    order = ["of", "family", "level", "quantity", "layer", "index", "step"]
    return data[[*order, *[name for name in data.columns if name not in order]]]


def finding(data: pd.DataFrame) -> str:
    """Say in how many levels the effective rank changes clearly from the first to the last checkpoint, and how far."""
    said = []
    for kind, rows in data[data["quantity"] == "effective_rank_share"].groupby("of", sort=False):
        first, last = (
            rows[rows["step"] == step].set_index("level") for step in (rows["step"].min(), rows["step"].max())
        )
        change = (last["value"] - first["value"]).dropna()
        if change.empty:
            continue
        reach = np.hypot(first["reach"], last["reach"])[change.index]
        clear = change[change.abs() > reach]
        level = (clear if len(clear) else change).abs().idxmax()
        numbers = f"at most {first.loc[level, 'value']:.2f} to {last.loc[level, 'value']:.2f}, {level}"
        counts = [
            f"{verb} in {number}"
            for verb, number in (("falls", int((clear < 0).sum())), ("rises", int((clear > 0).sum())))
            if number
        ]
        total = (
            f"{plural(len(change), 'level')} of {rows['family'].iloc[0]}" if not said else f"{len(change)}"
        )
        if counts:
            said.append(f"that of {kind} {listed(counts)} of {total} ({numbers})")
        else:
            said.append(f"that of {kind} changes clearly in none of {total} ({numbers})")
    if not said:
        return "No level has an effective rank at all its checkpoints"
    text = listed(said).replace("that of", "the effective rank of", 1)
    leading = data[(data["quantity"] == "singular_value") & (data["index"] == data["index"].min())]
    if leading.empty:
        return f"Over training {text}"
    kind = leading["of"].iloc[0]
    ends = (
        leading[leading["of"] == kind]
        .sort_values("step")
        .groupby("layer", sort=False)["value"]
        .agg(["first", "last"])
    )
    ratio = ends["last"] / ends["first"]
    layer = np.log(ratio).abs().idxmax()
    return (
        f"Over training {text}; the largest singular value of {_short(layer)} ends at {ratio[layer]:.2g} "
        "times its first"
    )


def _short(layer: str) -> str:
    """The last part of a layer's name that tells anything."""
    short = layer.removeprefix("network.").removesuffix(".weight")
    return short if len(short) <= 16 else f"…{short[-15:]}"


def _values(axes: Axes, rows: pd.DataFrame) -> None:
    """Leading singular values that are more than rounding, the largest darkest."""
    indices = sorted(set(rows["index"]))
    colours = colormaps[SHARE_COLOURS](np.linspace(0, 0.85, max(len(indices), 1)))
    seen = rows["value"] > ROUNDING * rows.groupby("step")["value"].transform("max")
    for index, colour in zip(indices, colours, strict=False):
        line = rows[(rows["index"] == index) & seen].sort_values("step")
        axes.plot(line["step"], line["value"], color=colour, marker="o", markersize=1.8, linewidth=0.9)
        error = line["standard_error"].fillna(0)
        low = (line["value"] - error).clip(lower=line["value"] / 10)
        axes.fill_between(line["step"], low, line["value"] + error, color=colour, alpha=0.12, linewidth=0)
    axes.set_yscale("log")
    shown = rows.loc[seen, "value"]
    wide = len(shown) and shown.max() > 40 * shown.min()
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axes.yaxis.set_major_formatter(power)
    axes.yaxis.set_minor_locator(NullLocator())
    _over_training(axes, rows)


def _ranks(axes: Axes, rows: pd.DataFrame, levels: list[str]) -> None:
    named = levels if len(levels) <= MOST_NAMES else [levels[0], levels[len(levels) // 2], levels[-1]]
    for level, colour in level_colours(levels).items():
        line = rows[rows["level"] == level].sort_values("step")
        label = level if level in named else None
        axes.plot(line["step"], line["value"], color=colour, marker="o", markersize=2, label=label)
        low, high = line["value"] - line["standard_error"], line["value"] + line["standard_error"]
        axes.fill_between(line["step"], low, high, color=colour, alpha=0.15, linewidth=0)
    _over_training(axes, rows)
    axes.legend(loc="best")


def _over_training(axes: Axes, rows: pd.DataFrame) -> None:
    steps = rows["step"].tolist() or [1]
    training_axis(axes, steps, label=False, most=3)
    axes.set_xlim(0, max(*steps, 1))


def _note(tables: Tables, data: pd.DataFrame) -> str:
    values = data[data["quantity"] == "singular_value"]
    where = f"{data['family'].iloc[0]} {values['level'].iloc[0]}" if len(values) else data["family"].iloc[0]
    count = int(values["index"].nunique())
    ranks = data[data["quantity"] == "effective_rank_share"]
    family = data["family"].iloc[0]
    return (
        f"Left: the {count} largest singular values of the first, a middle and the last layer in {where}, dark to "
        f"light. Right: effective rank exp(entropy of σ ÷ Σσ) ÷ full rank, mean over layers, by level of {family}. "
        f"Gradients: of the mean loss of a class, mean over classes. Means over draws (seeds averaged), bands: "
        f"{of_runs(pd.concat([values, ranks]))}. {clear_rule(tables.study)} Steps on log(1 + step). Recipe "
        f"{primary_recipes(tables.study)}."
    )
