"""Draw means: the points of every correlation. A point is one tier, the mean over its seeds (METHODS 9)."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

MOST_UNREACHED = 0.1
"""Share of a family's runs that may never reach the level of a matched reading; above it there is no result."""
QUANTITY = ["recipe", "instance", "reading", "fraction", "scalar"]
"""What tells one quantity from another; `fraction` is NaN for readings that are not matched."""


@dataclass(frozen=True)
class DrawMeans:
    """One quantity over the draws of a family.

    Attributes
    ----------
    quantity : dict
        Values of recipe, instance, reading, fraction and scalar.
    unit : str
        Unit of the scalar.
    means : Series
        Mean over seeds by tier; empty where too many runs never reach the level.
    runs : Series
        Value by (tier, seed), of the same runs.
    notes : tuple of str
        Runs that are left out, counted per tier.
    """

    quantity: dict[str, object]
    unit: str
    means: pd.Series
    runs: pd.Series
    notes: tuple[str, ...]


def draw_means(runs: pd.DataFrame) -> list[DrawMeans]:
    """Average each quantity of a family over seeds.

    Parameters
    ----------
    runs : DataFrame
        The rows of one family of priority.csv.
    """
    return [
        _one(dict(zip(QUANTITY, quantity, strict=True)), rows)
        for quantity, rows in runs.groupby(QUANTITY, dropna=False, sort=False)
    ]


def _one(quantity: dict[str, object], rows: pd.DataFrame) -> DrawMeans:
    unit, never = rows["unit"].iloc[0], rows[~rows["reached"]]
    if len(never) > MOST_UNREACHED * len(rows):
        note = (
            f"no matched result: {len(never)} of {len(rows)} runs never reach the level, "
            f"more than {MOST_UNREACHED:.0%} ({_per_tier(never)})"
        )
        nothing = pd.Series(dtype=float)
        return DrawMeans(quantity, unit, nothing, nothing, (note,))
    absent = rows[rows["reached"] & rows["value"].isna()]
    reasons = {"never reach the level": never, "no value": absent}
    notes = tuple(
        f"left out, {reason}: {len(out)} of {len(rows)} runs ({_per_tier(out)})"
        for reason, out in reasons.items()
        if len(out)
    )
    runs = rows.set_index(["tier", "seed"])["value"].dropna()
    return DrawMeans(quantity, unit, runs.groupby("tier", sort=False).mean(), runs, notes)


def _per_tier(rows: pd.DataFrame) -> str:
    return ", ".join(f"{tier}: {count}" for tier, count in rows.groupby("tier", sort=False).size().items())
