"""What the audit draws of a label column: spectra by class, and how much of the label each band tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ..fourier import rings
from .style import GREY, OKABE_ITO, TWO_COLUMNS, canvas, frame, styled

if TYPE_CHECKING:
    from ..audit.whole import LabelAudit

NAMED = 3
"""Classes at either end of the high band's share that have a colour, where there are more than twice as many."""
MOST_LINES = 200
"""Further classes that are drawn, in grey."""


@styled
def draw(label: LabelAudit, column: str, size: int) -> Figure:
    """Draw power by frequency for every class (left), and what a linear classifier tells by each band alone (right).

    Parameters
    ----------
    label : LabelAudit
    column : str
        Name of the label column.
    size : int
        Side of the images.
    """
    figure = canvas(TWO_COLUMNS, 68)
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    drawn = _spectra(left, label, size)
    _bands(right, label)
    note = (
        f"Left: mean power per frequency of the luma, {drawn} classes; shading: low, mid and high band. Right: "
        "accuracy (mean over classes, ±1 standard error) of a linear classifier on the power of one band, as packed "
        "and after encoding all images as JPEG of quality 75; dashed: chance."
    )
    frame(figure, f"{column}: what each frequency band holds", note)
    return figure


def _spectra(axes: Axes, label: LabelAudit, size: int) -> int:
    known = [i for i, row in enumerate(label.classes) if "density" in row]
    order = sorted(known, key=lambda i: label.classes[i]["high_share"])
    named = order if len(order) <= 2 * NAMED else order[:NAMED] + order[-NAMED:]
    ring = rings(size)
    for i in [i for i in order if i not in named][:MOST_LINES]:
        axes.plot(ring, label.classes[i]["density"], color=GREY, alpha=0.25, linewidth=0.5)
    for i, colour in zip(named, OKABE_ITO, strict=False):
        axes.plot(ring, label.classes[i]["density"], color=colour, label=label.titles[i][:24])
    for start, shade in ((size / 6, 0.05), (size / 3, 0.12)):
        axes.axvspan(start, ring[-1], color="black", alpha=shade, linewidth=0)
    if all(min(label.classes[i]["density"]) > 0 for i in known) and known:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}".replace("-", "−")))
    axes.set_xscale("log")
    ticks = [tick for tick in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512) if tick <= ring[-1]]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(ring[0], ring[-1])
    axes.set_xlabel("spatial frequency in cycles/image")
    axes.set_ylabel("power per frequency")
    if named:
        axes.legend(loc="lower left")
    return len(known)


def _bands(axes: Axes, label: LabelAudit) -> None:
    for place, (found, called, colour) in enumerate(
        ((label.bands, "as packed", OKABE_ITO[0]), (label.recoded, "one encoder quality", OKABE_ITO[4]))
    ):
        x = np.arange(len(found)) + 0.36 * (place - 0.5)
        axes.bar(
            x,
            [one.accuracy for one in found],
            0.34,
            yerr=[one.standard_error for one in found],
            color=colour,
            label=called,
            error_kw={"elinewidth": 0.8},
        )
    if label.bands:
        axes.axhline(label.bands[0].chance, color=GREY, linestyle="--", linewidth=0.8)
        axes.set_xticks(range(len(label.bands)), [one.band for one in label.bands])
        axes.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2, columnspacing=0.8)
    else:
        axes.text(0.5, 0.5, "too few images per class", ha="center", va="center", transform=axes.transAxes)
    axes.set_ylim(0, 1)
    axes.set_xlabel("band that the classifier sees")
    axes.set_ylabel("accuracy")
