"""A picture of one result file: what one measure found in one run, or in the images of one data set or task.

Curves over training or along a coordinate, rings over training, or maps of the frequency plane; which of them shows a
measure best is said in `VIEWS`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..errors import InputError
from ..fourier import full_plane
from .style import (
    ONE_COLUMN,
    RHO_COLOURS,
    SHARE_COLOURS,
    TWO_COLUMNS,
    canvas,
    frame,
    grid,
    level_colours,
    styled,
    training_axis,
)

NORMAL = 1.959964
"""97.5 % quantile of the normal distribution."""
FEW = 7
"""Curves up to which intervals are drawn: more of them would hide each other."""
MOST = 4
"""Maps in one picture."""


class View(NamedTuple):
    """What a picture shows: some variables along a dimension, or on the frequency plane; a curve or map per `by`."""

    variables: tuple[str, ...]
    over: str
    by: str = ""
    scale: str = "linear"


VIEWS = {
    "gradient": View(("share",), "ring over training"),
    "band-accuracy": View(("accuracy",), "checkpoint", "filter"),
    "critical-band": View(("accuracy",), "octave", "strength"),
    "fourier-heatmap": View(("error",), "plane"),
    "paths": View(("softmax_share",), "cycle", "pair", "log"),
    "fprinciple": View(("mean_low_error", "mean_high_error"), "checkpoint"),
    "dfm": View(("loss_increase",), "plane", "class"),
    "shortcuts": View(("mean_tpr", "mean_fpr"), "mask"),
    "weight-svd": View(("effective_rank_share",), "checkpoint", "layer"),
    "gradient-svd": View(("effective_rank_share",), "checkpoint", "layer"),
    "psd": View(("density",), "ring", "class", "log"),
    "adcs": View(("adcs",), "plane", "class"),
    "class-mean-psd": View(("share",), "ring"),
    "pinson": View(("share",), "ring"),
}
"""Measure → what its picture shows."""


@styled
def draw(dataset: xr.Dataset, measure: str, of: str) -> tuple[Figure, pd.DataFrame]:
    """Draw one result.

    Parameters
    ----------
    dataset : xarray.Dataset
        A result file as `store.netcdf.read_dataset` reads it, or what a measure's function returns (no checkpoints).
    measure : str
        Name of the measure.
    of : str
        What was measured, for the title: a run, a data set.

    Returns
    -------
    figure : Figure
    data : DataFrame
        The numbers behind it: a row per point, with dimensions as columns.

    Raises
    ------
    InputError
        For a measure that has no picture.
    """
    if measure not in VIEWS:
        raise InputError("measure", f"found {measure!r}", f"one that has a picture: {', '.join(VIEWS)}")
    view = VIEWS[measure]
    if "checkpoint" not in dataset.dims and view.over in ("checkpoint", "ring over training"):
        dataset = dataset.expand_dims("checkpoint").assign_coords(step=("checkpoint", [0]))
    first = dataset[view.variables[0]]
    others = [name for name in first.dims if name not in ("checkpoint", view.over, view.by, "ring", "u", "v")]
    chosen = [f"{name} {dataset[name].values[0]}" for name in others]
    dataset = dataset.isel(dict.fromkeys(others, 0))
    if view.over == "plane":
        figure, data = _planes(_last(dataset), view)
    elif view.over == "ring over training":
        figure, data = _rings_over_training(dataset, view)
    else:
        figure, data = _curves(dataset if view.over == "checkpoint" else _last(dataset), view)
    chosen = [
        f"{name} {dataset[name].item()}"
        for name in ("group",)
        if name in dataset.coords and not dataset[name].dims
    ]
    frame(figure, f"{measure} of {of}: {_finding(data, view, first)}", " ".join(_note(dataset, view, chosen)))
    return figure, data


def _last(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel(checkpoint=-1) if "checkpoint" in dataset.dims else dataset


def _name(variable: str) -> str:
    return variable.replace("_", " ")


def _curves(dataset: xr.Dataset, view: View) -> tuple[Figure, pd.DataFrame]:
    x = dataset["step"] if view.over == "checkpoint" else dataset[view.over]
    data = pd.concat(
        [
            _curve(dataset.isel({view.by: position} if view.by else {}), variable, x, level)
            for variable in view.variables
            for position, level in enumerate(
                map(str, dataset[view.by].values) if view.by else [_name(variable)]
            )
        ],
        ignore_index=True,
    )
    curves = data["curve"].unique().tolist()
    few = len(curves) <= FEW
    figure = canvas(ONE_COLUMN if few else TWO_COLUMNS, 62)
    axes = figure.subplots()
    named = x.dtype.kind in "OUS"
    places = np.arange(x.size) if named else x.values.astype(float)
    for curve, colour in level_colours(curves).items():
        line = data[data["curve"] == curve]
        axes.plot(places, line["value"], color=colour, label=curve, marker="." if len(places) < 12 else "")
        spread = NORMAL * line["standard_error"] if few else 0.0
        low, high = line["value"] - spread, line["value"] + spread
        axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
    if view.over == "checkpoint":
        training_axis(axes, x.values.tolist())
    else:
        axes.set_xlabel(_label(x))
        if named:
            axes.set_xticks(places, [str(name) for name in x.values])
        elif view.scale == "log" or view.over == "octave":
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
    if view.scale == "log":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
    first = dataset[view.variables[0]]
    axes.set_ylabel(_label(first if len(view.variables) == 1 else first.rename("value")))
    if len(curves) > 1:
        columns = 1 + (len(curves) - 1) // 12
        axes.legend(ncols=columns, title=view.by or None, loc="upper left", bbox_to_anchor=(1, 1))
    return figure, data


def _curve(dataset: xr.Dataset, variable: str, x: xr.DataArray, level: str) -> pd.DataFrame:
    error = f"{variable}_se"
    return pd.DataFrame(
        {
            str(x.name): x.values,
            "curve": level,
            "value": dataset[variable].values.astype(float),
            "standard_error": dataset[error].values.astype(float) if error in dataset else np.nan,
        }
    )


def _rings_over_training(dataset: xr.Dataset, view: View) -> tuple[Figure, pd.DataFrame]:
    figure = canvas(ONE_COLUMN, 62)
    axes = figure.subplots()
    values = dataset[view.variables[0]]
    steps = np.log1p(dataset["step"].values.astype(float))
    middle = (steps[1:] + steps[:-1]) / 2
    edges = np.expm1([steps[0], *middle, steps[-1]]) if len(steps) > 1 else np.array([0.0, 1.0])
    rings = dataset["ring"].values
    mesh = axes.pcolormesh(
        edges, np.append(rings - 0.5, rings[-1] + 0.5), values.values.T, cmap=SHARE_COLOURS, rasterized=True
    )
    training_axis(axes, dataset["step"].values.tolist())
    axes.set_ylabel("spatial frequency (cycles/image)")
    figure.colorbar(mesh, ax=axes, label=f"{_name(view.variables[0])} ({values.attrs['units']})", pad=0.02)
    data = values.rename("value").to_dataframe().reset_index()[["step", "ring", "value"]]
    return figure, data


def _planes(dataset: xr.Dataset, view: View) -> tuple[Figure, pd.DataFrame]:
    """Maps with DC in the middle."""
    values = dataset[view.variables[0]]
    levels = [str(level) for level in values[view.by].values[:MOST]] if view.by else [""]
    stack = values.values[:MOST] if view.by else values.values[None]
    size = stack.shape[-2]
    if stack.shape[-1] != size:
        stack = full_plane(stack)
    stack = np.fft.fftshift(stack, axes=(-2, -1)).astype(float)
    low, high = float(np.nanmin(stack)), float(np.nanmax(stack))
    both = low < 0 < high
    norm = Normalize(-max(-low, high), max(-low, high)) if both else Normalize(low, high)
    first = -(size // 2)
    extent = (first - 0.5, first + size - 0.5, first + size - 0.5, first - 0.5)
    figure, panels = grid(len(levels), MOST, 52)
    for axes, level, plane in zip(panels, levels, stack, strict=True):
        image = axes.imshow(plane, norm=norm, cmap=RHO_COLOURS if both else SHARE_COLOURS, extent=extent)
        axes.set_title(level)
        _cycles(axes, axes is panels[0])
    label = f"{_name(view.variables[0])} ({values.attrs['units']})"
    figure.colorbar(image, ax=panels, label=label, pad=0.02)
    cycles = np.arange(first, first + size)
    index = pd.MultiIndex.from_product([levels, cycles, cycles], names=["map", "u", "v"])
    return figure, pd.DataFrame({"value": stack.ravel()}, index).reset_index()


def _cycles(axes: Axes, leftmost: bool) -> None:
    axes.set_xlabel("v (cycles/image)")
    if leftmost:
        axes.set_ylabel("u (cycles/image)")
    else:
        axes.set_yticklabels([])


def _label(values: xr.DataArray) -> str:
    unit = values.attrs.get("units", "1")
    return _name(str(values.name)) + (f" ({unit})" if unit != "1" else "")


def _finding(data: pd.DataFrame, view: View, variable: xr.DataArray) -> str:
    """The largest thing to be seen, in words and numbers."""
    name = _name(str(variable.name))
    if view.over == "plane":
        peak = data.loc[data.assign(size=data["value"].abs())["size"].idxmax()]
        where = f"{np.hypot(peak['u'], peak['v']):.1f} cycles/image"
        return f"{name} is strongest at {where}" + (f", for {peak['map']}" if view.by else "")
    if view.over == "ring over training":
        ends = [data[data["step"] == step] for step in (data["step"].min(), data["step"].max())]
        before, after = (float((rows["ring"] * rows["value"]).sum() / rows["value"].sum()) for rows in ends)
        return f"the centroid goes from {before:.1f} to {after:.1f} cycles/image"
    if view.over == "checkpoint":
        ends = data.groupby("curve", sort=False)["value"].agg(["first", "last"])
        most = (ends["last"] - ends["first"]).abs().idxmax()
        change = f"goes from {ends['first'][most]:.2f} to {ends['last'][most]:.2f}"
        lead = most if len(view.variables) > 1 else f"{name} of {most}" if view.by else name
        return f"{lead} {change}" + (", the largest change" if len(ends) > 1 else "")
    peak = data.loc[data["value"].idxmax()]
    at, curve = peak.iloc[0], peak["curve"]
    where = at if isinstance(at, str) else f"{at:.3g} {variable[view.over].attrs.get('units', '')}".strip()
    lead = curve if len(view.variables) > 1 else f"{name} of {curve}" if view.by else name
    return f"{lead} is largest at {where}"


def _note(dataset: xr.Dataset, view: View, chosen: list[str]) -> list[str]:
    """What the picture shows, of how many, with which interval."""
    said = []
    if view.over not in ("checkpoint", "ring over training") and "step" in dataset.coords:
        said.append(f"Last checkpoint (step {int(np.max(dataset['step'].values))}).")
    if chosen:
        said.append(f"Of {', '.join(chosen)}.")
    if "n" in dataset and dataset["n"].size:
        unit = dataset["n"].attrs.get("units", "")
        said.append(f"n = {int(np.max(dataset['n'].values))} {unit}.")
    curves = view.over not in ("plane", "ring over training")
    few = not view.by or dataset.sizes.get(view.by, 0) <= FEW
    drawn = curves and few and f"{view.variables[0]}_se" in dataset
    said.append("Bands: 95 % intervals." if drawn else "No interval.")
    if view.over == "plane" and view.by and dataset.sizes[view.by] > MOST:
        said.append(f"The first {MOST} of {dataset.sizes[view.by]}.")
    return said
