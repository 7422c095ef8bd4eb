"""Frequency shortcuts over seeds, as a table of the report page, from shortcuts_summary.csv."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..figures.tables import Shortcuts
from .answer import number

QUANTITIES = ("shortcuts", "transferred", "selective", "tpr", "fpr", "accuracy")
"""In the order of the table's columns."""


def shortcut_rows(shortcuts: Shortcuts) -> list[list[str]]:
    """Return a row per tier × recipe × instance: the mask, and each quantity with its interval."""
    table = shortcuts.summary[shortcuts.summary["headline"]]
    rows = []
    for (tier, recipe, instance, mask), found in table.groupby(
        ["tier", "recipe", "instance", "mask"], sort=False
    ):
        by_name = found.set_index("quantity")
        cells = [_cell(by_name.loc[name]) if name in by_name.index else "" for name in QUANTITIES]
        rows.append([tier, recipe, instance, mask, str(int(found["n"].max())), *cells])
    return sorted(rows, key=lambda row: (row[0], row[2]))


def _cell(row: pd.Series) -> str:
    of = f" of {row['classes']:g}" if row["unit"] == "classes" else ""
    interval = f" [{number(row['lower'])}, {number(row['upper'])}]" if np.isfinite(row["lower"]) else ""
    return f"{number(row['mean'])}{of}{interval}"
