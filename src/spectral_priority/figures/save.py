"""A figure's three files: SVG for papers, PNG for looking, CSV for the numbers behind it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pandas as pd
from matplotlib.figure import Figure

from ..store.atomic import atomic
from ..store.tables import write_csv
from .style import styled

DOTS_PER_INCH = 200


@styled
def save(figure: Figure, data: pd.DataFrame, svg: str | Path, png: str | Path, csv: str | Path) -> None:
    """Write a figure and its numbers, each file atomically; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
        As `draw` returned it; its finding becomes the SVG's title, for people who hear the page.
    data : DataFrame
        The numbers behind it.
    svg, png, csv : path
        Files to make.
    """
    with atomic(svg) as path:
        to_svg(figure, path)
    with atomic(png) as path:
        title = getattr(figure, "title_text", "")
        figure.savefig(path, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None, "Title": title})
    write_csv(csv, data)


@styled
def to_svg(figure: Figure, target: str | Path | BinaryIO) -> None:
    """Write a figure as SVG, laid out for all its files."""
    _settle(figure)
    title = getattr(figure, "title_text", "")
    figure.savefig(target, format="svg", dpi=300, metadata={"Date": None, "Creator": None, "Title": title})


def _settle(figure: Figure) -> None:
    """Lay the figure out once, for all files, its axes on a grid of a millionth of the figure.

    The layout's solver leaves noise in the last digits of positions, and the names of clip paths in an SVG are hashes
    of all digits.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(side, 6) for side in axes.get_position(original=True).bounds])
