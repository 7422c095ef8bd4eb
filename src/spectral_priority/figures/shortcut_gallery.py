"""Shortcut gallery: the dominant frequencies of each class, and what is left of images when only these are kept."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..fourier import full_plane
from . import gallery_instance
from .result_files import Gallery, shortcut_gallery
from .style import TWO_COLUMNS, canvas, frame, styled
from .tables import Tables

MOST_CLASSES = 8
ROWS = ("image", "frequencies", "own image", "other image")
"""What is shown of a class, from above."""
SHOWN_MASK = "top-5"
"""The mask that is shown, as the scalars of the measure are about it; the last one where a study has no such."""


@styled
def draw(tables: Tables) -> tuple[Figure, pd.DataFrame]:
    """Draw a column per class: an image, the class's mask, the image through it, and another class's through it.

    Returns
    -------
    figure : Figure
    data : DataFrame
        class, mask, u, v (cycles/image, of every frequency that is kept), tpr, tpr_lower, tpr_upper (Wilson,
        95 %), fpr, dc_tpr, n, source (place of the image in images.h5).
    """
    gallery = shortcut_gallery(tables.study, tables.results, gallery_instance(tables.study))
    masks = gallery.masks
    names = masks["mask"].values.astype(str).tolist()
    mask = names.index(SHOWN_MASK) if SHOWN_MASK in names else len(names) - 1
    classes = masks["class"].values.astype(str)
    shown = min(len(classes), MOST_CLASSES)
    kept = masks["kept"].transpose("class", "mask", "u", "v").values[:, mask].astype(float)
    filtered = _filtered(gallery.images, kept)
    others = _filtered(np.roll(gallery.images, -1, axis=0), kept)
    columns = max(shown, 5)
    side = min(26.0, 168.0 / columns)
    figure = canvas(TWO_COLUMNS, len(ROWS) * (side + 2) + 22)
    panels = figure.subplots(len(ROWS), shown, squeeze=False)
    for place in range(shown):
        pictures = (gallery.images[place], None, filtered[place], others[place])
        for axes, picture in zip(panels[:, place], pictures, strict=True):
            if picture is None:
                _plane(axes, kept[place])
            else:
                axes.imshow(
                    np.squeeze(picture.clip(0, 1)), cmap="gray", vmin=0, vmax=1, interpolation="nearest"
                )
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(picture is None)
        rates = masks.isel({"class": place, "mask": mask})
        panels[0, place].set_title("\n".join(textwrap.wrap(classes[place].replace("-", " "), 16)[:2]), pad=3)
        panels[1, place].set_xlabel(
            f"TPR {float(rates['tpr']):.2f}\nFPR {float(rates['fpr']):.2f}", labelpad=2
        )
    for axes, label in zip(panels[:, 0], _labels(names[mask]), strict=True):
        axes.set_ylabel(label, rotation=0, ha="right", va="center", multialignment="right")
    data = gallery_table(gallery, kept, names[mask], mask)
    frame(figure, finding(tables, data, names[mask]), _note(gallery, data, len(classes) - shown))
    return figure, data


def gallery_table(gallery: Gallery, kept: np.ndarray, name: str, mask: int) -> pd.DataFrame:
    """Return every frequency that is kept, a row each, with the rates of its class."""
    size = kept.shape[-2]
    planes = np.fft.fftshift(full_plane(kept), axes=(-2, -1))
    number, u, v = np.nonzero(planes > 0)
    of_class = gallery.masks.isel(mask=mask)
    columns = {
        "class": of_class["class"].values.astype(str)[number],
        "mask": name,
        "u": u - size // 2,
        "v": v - size // 2,
        **{
            rate: of_class[rate].values[number] for rate in ("tpr", "tpr_lower", "tpr_upper", "fpr", "dc_tpr")
        },
        "n": of_class["class_n"].values[number],
        "source": gallery.sources[number],
    }
    return pd.DataFrame(columns)


def finding(tables: Tables, data: pd.DataFrame, mask: str) -> str:
    """Say how many classes are recognised by their dominant frequencies alone, and where the lowest and highest lie."""
    instance = gallery_instance(tables.study)
    threshold = tables.study.measures[instance].threshold
    classes = data.drop_duplicates("class").set_index("class")
    held = classes["tpr"] > threshold
    waves = data[(data["u"] != 0) | (data["v"] != 0)]
    centre = np.hypot(waves["u"], waves["v"]).groupby(waves["class"]).mean()
    few = int((held & (classes["fpr"] <= threshold)).sum())
    text = (
        f"{int(held.sum())} of {len(classes)} classes ({few} with few false positives) are recognised by their "
        f"{_said(mask)} alone"
    )
    if held.sum() == 0:
        text = f"None of {len(classes)} classes is recognised by its {_said(mask)} alone"
    if len(centre) < 2:
        return f"{text} (TPR {classes['tpr'].iloc[0]:.2f})"
    low, high = centre.idxmin(), centre.idxmax()
    return (
        f"{text}; these lie lowest for {low} (mean {centre[low]:.1f} cycles/image) and highest for {high} "
        f"({centre[high]:.1f})"
    )


def _said(mask: str) -> str:
    kind, _, number = mask.partition("-")
    return f"{number} % most dominant frequencies" if kind == "top" else f"frequencies of the search ({mask})"


def _labels(mask: str) -> tuple[str, ...]:
    return (
        "image",
        f"its class’s\n{mask.replace('-', ' ')}{' %' if mask.startswith('top') else ''}",
        "only these\nkept",
        "of the next\nclass’s image",
    )


def _filtered(images: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Images (class, N, N, channel) through the half-plane masks (class, N, N//2 + 1)."""
    spectrum = np.fft.rfft2(images, axes=(1, 2)) * kept[..., None]
    return np.fft.irfft2(spectrum, s=images.shape[1:3], axes=(1, 2))


def _plane(axes: Axes, kept: np.ndarray) -> None:
    """The kept frequencies in black, DC in the middle, and circles where low ends and where mid ends."""
    size = kept.shape[0]
    plane = np.fft.fftshift(full_plane(kept[None])[0])
    first = -(size // 2) - 0.5
    extent = (first, first + size, first + size, first)
    axes.imshow(1 - plane, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="nearest")
    angle = np.linspace(0, 2 * np.pi, 181)
    for edge in (size / 6, size / 3):
        axes.plot(edge * np.cos(angle), edge * np.sin(angle), color="#0072B2", linewidth=0.6)
    axes.set_xlim(first, first + size)
    axes.set_ylim(first + size, first)


def _note(gallery: Gallery, data: pd.DataFrame, hidden: int) -> str:
    images = data.drop_duplicates("class")["n"]
    count = f"{images.min()}" if images.min() == images.max() else f"{images.min()}–{images.max()}"
    return (
        f"Run {gallery.run} (n = 1), last checkpoint (step {int(gallery.masks['step'])}). Maps: u down, v across in "
        f"cycles/image, DC in the middle; circles: N/6 and N/3. TPR: part of a class’s {count} images that is "
        f"recognised when only the map’s frequencies and DC are kept; FPR: part of the others then taken for it, "
        f"few: not above the threshold; 95 % intervals in the csv. Images: the first of each class in the probe, "
        f"pixels cut to [0, 1]." + (f" Left out for room: {hidden} classes." if hidden else "")
    )
