"""What the recipes of a study change, in a sentence per level, computed from contrasts.csv."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ..figures.names import SCALAR_NAMES
from ..figures.shown import contrast_table, is_clear, reading_name
from ..figures.tables import Tables
from .answer import number


def level_sentences(tables: Tables) -> list[str]:
    """Say for each level what its recipes do at the last checkpoint: which are clear of their reference.

    Clear is a difference whose interval excludes zero, each by itself.
    """
    data = contrast_table(tables)
    last = data[data["reading"] == reading_name("last", None)]
    scalar = SCALAR_NAMES[tables.study.statistics.scalar]
    return [
        f"{family}, {level}: {_level(rows, scalar)}"
        for (family, level), rows in last.groupby(["family", "level"], sort=False)
    ]


def _level(rows: pd.DataFrame, scalar: str) -> str:
    clear = is_clear(rows)
    moved = [
        f"{row.recipe} ({number(row.difference)}, interval {number(row.lower)} to {number(row.upper)})"
        for row in rows[clear].sort_values("difference").itertuples()
    ]
    parts = [f"clearly with {_listed(moved)}" if moved else "clearly with no recipe"]
    if not clear.all():
        parts.append(f"not clearly with {_listed(rows.loc[~clear, 'recipe'])}")
    unit = "" if rows["unit"].iloc[0] == "1" else f" Differences in {rows['unit'].iloc[0]}."
    return f"compared with {rows['reference'].iloc[0]}, the {scalar} changes {'; '.join(parts)}.{unit}"


def _listed(names: Iterable[str]) -> str:
    """Write names as a list in a sentence.

    >>> _listed(["wide", "longer", "student"])
    'wide, longer and student'
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
