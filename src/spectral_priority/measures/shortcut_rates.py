"""How often a class is recognised by the frequencies that are kept: rates, their errors, and the dataset of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..config.measures import Shortcuts
from .coordinates import of_classes, of_half_plane
from .variables import Variables

HEADLINE = "top-5"
"""The mask that scalars are about; with a search over patches that of the last stage."""
NORMAL = 1.959964
"""97.5 % quantile of the normal distribution."""


def recognition_rates(called: np.ndarray, own: np.ndarray) -> dict[str, np.ndarray]:
    """Return true- and false-positive rates of each class and mask, with errors and intervals, and counts of images.

    Parameters
    ----------
    called : ndarray (2, class, mask + 2)
        How many of the class's own images, and of others, were taken for it; by mask, then as they are, then DC alone.
    own : ndarray (class, n) bool
        Which images are of which class.
    """
    found = {"class_n": own.sum(axis=1), "class_n_other": (~own).sum(axis=1)}
    for name, hits, of in (("tpr", called[0], "class_n"), ("fpr", called[1], "class_n_other")):
        count = found[of][:, None]
        rate = hits / np.maximum(count, 1)
        error = np.sqrt(rate * (1 - rate) / np.where(count > 1, count - 1, np.nan))
        found |= {name: rate, f"{name}_se": error}
        found |= dict(zip((f"{name}_lower", f"{name}_upper"), wilson_interval(hits, count), strict=True))
    return found


def wilson_interval(hits: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's 95 % interval of a proportion; [0, 1] where nothing was counted.

    >>> [round(float(end), 3) for end in wilson_interval(np.array(10), np.array(10))]
    [0.722, 1.0]
    """
    square = NORMAL**2
    centre = (hits + square / 2) / (count + square)
    half = NORMAL / (count + square) * np.sqrt(hits * (count - hits) / np.maximum(count, 1) + square / 4)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def rates_dataset(
    rates: dict[str, np.ndarray],
    kept: np.ndarray,
    shares: np.ndarray,
    counts: dict[str, tuple],
    classes: dict[int, str],
    names: list[str],
    options: Shortcuts,
) -> xr.Dataset:
    """Give every number its dimensions, unit and name."""
    data = Variables()
    on_classes, on_masks = ("class", "mask"), ("mask",)

    def store(name: str, dims: tuple[str, ...], values: Any, long_name: str, units: str = "1") -> None:
        counted = "class_n_other" if "fpr" in name else "class_n"
        data.add(name, dims, values, long_name, units, n=counted if name.endswith("_se") else "")

    ends = {
        "": "",
        "_se": "standard error over images of the ",
        "_lower": "lower end of the 95 % interval of the ",
        "_upper": "upper end of the 95 % interval of the ",
    }
    said = {
        "tpr": "part of its images that are recognised",
        "fpr": "part of other images that are taken for it",
    }
    for rate, what in said.items():
        for end, of in ends.items():
            values = rates[rate + end]
            store(f"{rate}{end}", on_classes, values[:, :-2], f"{of}{what}, only its frequencies kept")
            store(f"clean_{rate}{end}", ("class",), values[:, -2], f"{of}{what}, all frequencies kept")
            store(f"dc_{rate}{end}", ("class",), values[:, -1], f"{of}{what}, only DC kept")
        mean, error = rates[rate][:, :-2].mean(axis=0), rates[f"{rate}_se"][:, :-2]
        error = np.sqrt((error**2).sum(axis=0)) / len(error)
        store(f"mean_{rate}", on_masks, mean, f"{what}, mean over classes")
        store(f"mean_{rate}_se", on_masks, error, f"{ends['_se']}{what}, mean over classes")
    clean, error = rates["tpr"][:, -2].mean(), rates["tpr_se"][:, -2]
    accuracy = "part of images that are recognised as they are, mean over classes"
    store("mean_clean_tpr", (), clean, accuracy)
    store("mean_clean_tpr_se", (), np.sqrt((error**2).sum()) / len(error), f"{ends['_se']}{accuracy}")
    shortcut = rates["tpr"][:, :-2] > options.threshold
    store("shortcut", on_classes, shortcut.astype(np.uint8), "1: the class has a shortcut")
    for end in ("", "_lower", "_upper"):
        number = (rates[f"tpr{end}"][:, :-2] > options.threshold).sum(axis=0)
        store(f"shortcuts{end}", on_masks, number, f"{ends[end]}number of classes with a shortcut", "classes")
    headline = names.index(HEADLINE) if HEADLINE in names else -1
    for name, of in (("tpr", "mean_tpr"), ("fpr", "mean_fpr"), ("shortcuts", "shortcuts")):
        for end in ("", "_se") if of != "shortcuts" else ("", "_lower", "_upper"):
            _, values, attributes = data[f"{of}{end}"]
            long_name = f"{attributes['long_name']}, {names[headline]}"
            store(f"headline_{name}{end}", (), values[headline], long_name, attributes["units"])
    store("kept", (*on_classes, "u", "v"), kept.astype(np.uint8), "1: a frequency that is kept")
    store("kept_share", on_classes, shares, "part of the frequencies but DC that is kept")
    store("class_n", ("class",), rates["class_n"], "images of the class that were classified", "images")
    store("class_n_other", ("class",), rates["class_n_other"], "images of other classes", "images")
    for name, (value, long_name, units) in counts.items():
        store(name, (), value, long_name, units)

    size = kept.shape[2]
    coordinates = of_classes(list(classes.values())) | of_half_plane(size)
    coordinates["label"] = ("class", list(classes), {"units": "1", "long_name": "number of the class"})
    coordinates["mask"] = ("mask", names, {"units": "1", "long_name": "which frequencies are kept"})
    attributes = {name: getattr(options, name) for name in ("measure", "search", "threshold", "evaluate")}
    attributes["headline"] = names[headline]
    return xr.Dataset(data, coordinates, attributes | {"size": size, "batch_norm_images": 0})
