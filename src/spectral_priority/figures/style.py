"""The one style of all figures: sizes, fonts, colours, and the frame of title and note around the axes.

Figures are laid out at their final size. No text is smaller than 7 pt, SVG text stays text, and the same numbers give
the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

ONE_COLUMN, TWO_COLUMNS = 85.0, 180.0
"""Widths of figures in mm."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that people with any colour vision can tell apart (Okabe & Ito 2008); its yellow is too pale for lines."""

SHARE_COLOURS, RHO_COLOURS = "viridis", "RdBu_r"
"""Perceptually uniform, and diverging about zero."""

GREY, CONTROL = "#767676", "#000000"
"""The untrained model; a control."""

SMALL, TITLE = 7.0, 8.5
"""Sizes of text in pt; none is smaller than SMALL."""

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": SMALL,
    "axes.titlesize": SMALL,
    "axes.titlelocation": "left",
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.borderaxespad": 0.2,
    "legend.labelspacing": 0.25,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "hatch.linewidth": 0.4,
    "axes.axisbelow": True,
    "text.parse_math": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "spectral-priority",
}


def styled(function: Callable) -> Callable:
    """Run a drawing or saving function in this style, whatever style the caller has."""

    @wraps(function)
    def inside(*args, **kwargs):
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(SETTINGS)
            return function(*args, **kwargs)

    return inside


def canvas(width: float, height: float) -> Figure:
    """Return an empty figure of a size in mm."""
    figure = Figure(figsize=(width / 25.4, height / 25.4), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def frame(figure: Figure, title: str, note: str) -> None:
    """Put the finding above the axes and a note (n, kind of interval) below; the figure grows by their heights.

    Parameters
    ----------
    figure : Figure
        Its present height is that of the axes.
    title, note : str
        Wrapped to the figure's width.
    """
    width, height = figure.get_size_inches()
    above, above_height = _wrapped(figure, title, TITLE, "bold")
    below, below_height = _wrapped(figure, note, SMALL, "normal")
    total = height + above_height + below_height
    figure.set_size_inches(width, total)
    edge = 1.5 / 25.4
    style = {"ha": "left", "linespacing": 1.25}
    figure.text(
        edge / width, 1 - edge / total, above, va="top", fontsize=TITLE, fontweight="bold", **style
    ).set_gid("title")
    figure.text(
        edge / width, edge / total, below, va="bottom", fontsize=SMALL, color="#444444", **style
    ).set_gid("note")
    figure.get_layout_engine().set(rect=(0, below_height / total, 1, height / total), w_pad=0.05, h_pad=0.04)
    figure.title_text = title


def _wrapped(figure: Figure, text: str, size: float, weight: str) -> tuple[str, float]:
    """Text in lines that fit the figure's width, and its height with margins in inches."""
    renderer, font = (
        figure.canvas.get_renderer(),
        FontProperties(family=SETTINGS["font.sans-serif"], size=size, weight=weight),
    )
    # A little spare: programs that show the SVG set text slightly wider than it is measured here.
    room = 0.97 * (figure.get_size_inches()[0] - 3 / 25.4) * figure.dpi
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and renderer.get_text_width_height_descent(longer, font, ismath=False)[0] > room:
            lines.append(line)
            line = word
        else:
            line = longer
    lines = [*lines, line] if line else lines
    return "\n".join(lines), (len(lines) * 1.25 * size / 72 + 3.5 / 25.4) if lines else 0.0


def grid(panels: int, columns: int, panel_height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with that many panels, at most `columns` side by side, and its axes in reading order.

    A single panel is one column wide.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = canvas(ONE_COLUMN if panels == 1 else TWO_COLUMNS, rows * panel_height)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for empty in axes[panels:]:
        empty.remove()
    return figure, axes[:panels]


def level_colours(levels: Sequence[str]) -> dict[str, str]:
    """Return a colour per level: numbers get an ordered scale, names colours that are easy to tell apart.

    >>> level_colours(["shape", "ring"])
    {'shape': '#0072B2', 'ring': '#D55E00'}
    """
    numeric = all(level.replace(".", "", 1).isdigit() for level in levels)
    if (numeric and len(levels) > 2) or len(levels) > len(OKABE_ITO):
        scale = matplotlib.colormaps[SHARE_COLOURS]
        return {
            level: matplotlib.colors.to_hex(scale(place))
            for level, place in zip(levels, np.linspace(0, 0.88, len(levels)), strict=True)
        }
    return dict(zip(levels, OKABE_ITO, strict=False))


def training_axis(axes: Axes, steps: Sequence[float], label: bool = True, most: int = 6) -> None:
    """Make the x axis one of optimiser steps on log(1 + step), from the untrained model (0) to the last step."""
    last = max(float(max(steps)), 1.0)
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    ticks = [0.0, *(float(10**k) for k in range(1, 9) if 10**k <= last)]
    if last < 10:
        ticks = [0.0, last]
    while len(ticks) > most:
        ticks = [0.0, *ticks[1:][1::2]]
    if np.log1p(last) - np.log1p(ticks[-1]) > 0.16 * np.log1p(last):
        ticks.append(last)
    axes.set_xticks(ticks, [short(tick) for tick in ticks])
    axes.minorticks_off()
    if label:
        axes.set_xlabel("optimiser step (log(1 + step) scale)")


def short(number: float) -> str:
    """Write a count briefly.

    >>> [short(n) for n in (0, 300, 12000, 2500000)]
    ['0', '300', '12k', '2.5M']
    """
    for size, letter in ((1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / (size if letter == 'M' else 1e3):g}{letter}"
    return f"{number:g}"


def signed(number: float, digits: int = 2) -> str:
    """Write a number with its sign, and a true minus.

    >>> signed(-0.5), signed(2)
    ('−0.50', '+2.00')
    """
    return f"{number:+.{digits}f}".replace("-", "−")


def power(number: float, _place: int | None = None) -> str:
    """Write the number of a tick on a log scale; powers of ten that would need many zeros, as such.

    >>> power(0.02), power(1e-5), power(3e-5), power(1000)
    ('0.02', '10⁻⁵', '3·10⁻⁵', '1000')
    """
    if number <= 0 or 1e-3 <= number < 1e5:
        return f"{number:g}"
    exponent = int(np.floor(np.log10(number) + 1e-9))
    factor = number / 10.0**exponent
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return (f"{factor:.2g}·" if f"{factor:.2g}" != "1" else "") + f"10{raised}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    >>> plural(1, "draw"), plural(3, "draw")
    ('1 draw', '3 draws')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")
