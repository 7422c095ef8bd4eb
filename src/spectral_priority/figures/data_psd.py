"""Data PSD: the power spectra of a data set's images by class, before any training (METHODS 7)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .result_files import data_spectra
from .style import GREY, OKABE_ITO, frame, grid, level_colours, power, styled
from .tables import Tables

MOST_PANELS, MOST_NAMES = 6, 7
"""Label columns, and classes with a colour and a name of their own."""
CLEAR = 3.0
"""Standard errors over images that two centroids must differ by: the lowest and the highest of many are compared."""
MOST_DRAWN = 50
"""Grey lines up to which they are lines in the SVG, too."""
NORMAL = 1.959964
"""97.5 % quantile of the normal distribution."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw the mean power per frequency of each class, a panel per data set and label column.

    Returns
    -------
    figure : Figure
    data : DataFrame
        dataset, label, class, images, ring (cycles/image), cycles_per_pixel, power_density, standard_error, centroid,
        centroid_standard_error (cycles/image), slope.
    """
    spectra = data_spectra(tables.study, tables.results)
    data = pd.concat([psd_table(*key, found) for key, found in spectra.items()], ignore_index=True)
    present = list(spectra)
    shown = present[:MOST_PANELS]
    columns = 2 if len(shown) in (2, 4) else 3
    figure, panels = grid(len(shown), columns, 66)
    unit = next(iter(spectra.values()))["power_density"].attrs.get("units", "1")
    for place, (axes, (dataset, label)) in enumerate(zip(panels, shown, strict=True)):
        rows = data[(data["dataset"] == dataset) & (data["label"] == label)]
        _panel(axes, rows)
        axes.set_title(f"{dataset}, label {label}: {rows['class'].nunique()} classes", pad=3)
        if place % columns == 0:
            axes.set_ylabel(
                "power per frequency" + (f" ({unit})" if unit != "1" else " (of pixels in [0, 1])")
            )
    left = [f"{dataset} {label}" for dataset, label in present[MOST_PANELS:]]
    left_out = f" Left out for room: {', '.join(left)}." if left else ""
    frame(figure, finding(data), _note(data) + left_out)
    return figure, data


def psd_table(dataset: str, label: str, found: xr.Dataset) -> pd.DataFrame:
    """Return one data set's spectra as rows."""
    rings = found["ring"].values
    names = found["class"].values.astype(str)
    each = {
        "images": "images",
        "centroid": "centroid",
        "centroid_standard_error": "centroid_se",
        "slope": "slope",
    }
    table = pd.DataFrame(
        {
            "dataset": dataset,
            "label": label,
            "class": np.repeat(names, len(rings)),
            "images": 0,
            "ring": np.tile(rings, len(names)),
            "cycles_per_pixel": np.tile(found["frequency"].values, len(names)),
            "power_density": found["power_density"].values.ravel(),
            "standard_error": found["power_density_se"].values.ravel(),
        }
    )
    for name, variable in each.items():
        table[name] = np.repeat(found[variable].values, len(rings))
    return table


def finding(data: pd.DataFrame) -> str:
    """Say between which classes the centroid of the images' spectrum differs most, and whether clearly."""
    best = None
    for (dataset, label), rows in data.groupby(["dataset", "label"], sort=False):
        classes = rows.drop_duplicates("class").dropna(subset=["centroid"]).set_index("class")
        if len(classes) < 2:
            continue
        low, high = classes["centroid"].idxmin(), classes["centroid"].idxmax()
        gap = classes.loc[high, "centroid"] - classes.loc[low, "centroid"]
        error = np.hypot(*classes.loc[[low, high], "centroid_standard_error"])
        if best is None or gap > best[0]:
            best = gap, error, low, high, classes, f"{dataset}, label {label}"
    if best is None:
        row = data.iloc[0]
        return f"One class, {row['class']}: the centroid of its spectrum is at {row['centroid']:.1f} cycles/image"
    gap, error, low, high, classes, where = best
    numbers = f"{classes.loc[low, 'centroid']:.2f}", f"{classes.loc[high, 'centroid']:.2f} cycles/image"
    if not gap > CLEAR * error:
        span = " to ".join(numbers)
        return f"Spectra of the images show no clear difference between classes (centroids {span}; {where})"
    return (
        f"Images of {low} have the lowest spectra (centroid {numbers[0]}), those of {high} the highest "
        f"({numbers[1]}; {where})"
    )


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    classes = rows.drop_duplicates("class").sort_values("centroid")["class"].tolist()
    if len(classes) <= MOST_NAMES:
        colours, quiet = level_colours(classes), []
    else:  # the lowest, the middle and the highest have names; all others are grey
        chosen = [classes[0], classes[len(classes) // 2], classes[-1]]
        colours = dict(zip(chosen, (OKABE_ITO[0], OKABE_ITO[2], OKABE_ITO[1]), strict=True))
        quiet = [name for name in classes if name not in colours]
    for number, name in enumerate(quiet):
        line = rows[rows["class"] == name]
        label = f"{len(quiet)} others" if number == 0 else None
        axes.plot(
            line["ring"], line["power_density"], color=GREY, linewidth=0.5, alpha=0.6, label=label, zorder=1,
            rasterized=len(quiet) > MOST_DRAWN,
        )  # fmt: skip
    for name, colour in colours.items():
        line = rows[rows["class"] == name]
        label = f"{name[:24]}: {line['centroid'].iloc[0]:.1f}"
        axes.plot(line["ring"], line["power_density"], color=colour, label=label, linewidth=1.1, zorder=2)
        spread = NORMAL * line["standard_error"]
        low = (line["power_density"] - spread).clip(lower=line["power_density"] / 10)
        axes.fill_between(
            line["ring"], low, line["power_density"] + spread, color=colour, alpha=0.2, linewidth=0
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter(power)
    axes.minorticks_off()
    axes.set_xlabel("spatial frequency (cycles/image)")
    lowest, highest = np.log(axes.get_ylim())
    entries = len(axes.get_legend_handles_labels()[0])
    head = min(0.07 * entries + 0.03, 0.5)
    axes.set_ylim(np.exp(lowest), np.exp(lowest + (highest - lowest) / (1 - head)))
    axes.legend(loc="upper right")


def _note(data: pd.DataFrame) -> str:
    images = data.drop_duplicates(["dataset", "label", "class"])["images"]
    count = f"{images.min():g}" if images.min() == images.max() else f"{images.min():g}–{images.max():g}"
    return (
        f"Mean over the training images of a class (n = {count}) of the power per frequency in each ring, log–log; "
        f"bands: 95 % intervals over images. Numbers: centroid of the power in cycles/image. Clear: centroids differ "
        f"by more than {CLEAR:g} standard errors. No model is involved."
    )
