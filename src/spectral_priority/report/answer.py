"""The answer in sentences, computed from the tables: the two primary hypotheses and the claims (METHODS 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..figures.names import SCALAR_NAMES
from ..figures.shown import reading_name
from ..figures.tables import Tables
from ..statistics.least_squares import FEWEST_DRAWS

TOPICS = {
    "primary-1": ("Number of classes", "a regroup family (one image set under more and fewer classes)"),
    "primary-2": ("Similarity of classes", "a similarity family (equally many classes, alike or not)"),
}
"""Hypothesis → what it is about, and what a study needs to ask it."""


@dataclass(frozen=True)
class Sentence:
    """One part of the answer.

    Attributes
    ----------
    topic, text : str
        What it is about, and what was found.
    verdict : str
        `clear`, `unclear`, `open` (too few draws, or not asked), `held` or `failed`.
    """

    topic: str
    text: str
    verdict: str


def answer(tables: Tables) -> list[Sentence]:
    """Return the answer: a sentence per primary hypothesis, and one on the claims.

    Examples
    --------
    >>> verdict(pd.Series({"lower": 0.2, "upper": 0.9, "p_adjusted": 0.01, "confidence": 0.95}))
    'clear'
    """
    return [
        *(sentence for name in TOPICS for sentence in _hypothesis(tables, name)),
        _claims(tables.claims),
    ]


def verdict(row: pd.Series) -> str:
    """Say whether a slope is `clear`: its interval excludes 0 and it is significant after correction."""
    if not np.isfinite(row["lower"]) or not np.isfinite(row["upper"]):
        return "open"
    excludes = row["lower"] > 0 or row["upper"] < 0
    corrected = not np.isfinite(row["p_adjusted"]) or row["p_adjusted"] < 1 - row["confidence"]
    return "clear" if excludes and corrected else "unclear"


def number(value: float, digits: int = 2) -> str:
    """Write a number with a true minus.

    >>> number(-0.5), number(float("nan"))
    ('−0.50', '–')
    """
    return f"{value:.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def probability(p: float) -> str:
    """Write a p value.

    >>> probability(0.00002), probability(0.0312)
    ('p < 0.001', 'p = 0.031')
    """
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def _hypothesis(tables: Tables, name: str) -> list[Sentence]:
    topic, needed = TOPICS[name]
    rows = tables.correlations[tables.correlations["hypothesis"] == name]
    if rows.empty:
        return [Sentence(topic, f"This study does not ask it; it takes {needed}.", "open")]
    return [Sentence(topic, *_row(tables, row, needed)) for _, row in rows.iterrows()]


def _row(tables: Tables, row: pd.Series, needed: str) -> tuple[str, str]:
    found = verdict(row)
    note = row["note"] if isinstance(row["note"], str) else ""
    if note.startswith("not available"):
        return f"No answer: {note.removeprefix('not available: ')}. It takes {needed}.", "open"
    scalar = SCALAR_NAMES.get(row["scalar"], row["scalar"])
    place = f"{row['family']}, at {reading_name(row['reading'], row['fraction'])}"
    draws = f"{int(row['draws'])} draw{'s' * (row['draws'] != 1)}"
    if found == "open":
        if row["draws"] < FEWEST_DRAWS and "no matched result" not in note:
            note = f"there are {draws}, and an interval needs at least {FEWEST_DRAWS}"
        reason = note or "there is no interval"
        return f"No answer yet from {place}: {reason}.{_at_last(tables, row)}", "open"
    interval = f"{100 * row['confidence']:g} % interval {number(row['lower'])} to {number(row['upper'])}"
    p = f", {probability(row['p_adjusted'])} after correction" if np.isfinite(row["p_adjusted"]) else ""
    facts = f"({interval}{p}; {draws} at {int(row['levels'])} levels)"
    if found == "clear":
        direction = "rises" if row["slope"] > 0 else "falls"
        amount = number(abs(row["slope"]))
        return (
            f"In {place}, the {scalar} {direction} by {amount} {_unit(row)} {facts}.{_power(tables, row)}",
            found,
        )
    detectable = ""
    if np.isfinite(row["detectable_slope"]):
        detectable = (
            f" The smallest slope that this study could have detected is {number(row['detectable_slope'])}."
        )
    text = (
        f"In {place}, the {scalar} shows no clear change: slope {number(row['slope'])} {_unit(row)} {facts}."
    )
    return text + detectable + _power(tables, row), found


def _same(tables: Tables, row: pd.Series, **changed: object) -> pd.DataFrame:
    """Rows that differ from a row in the columns given only."""
    rows = tables.correlations
    for column in ("family", "recipe", "instance", "reading", "complexity", "scalar"):
        rows = rows[rows[column] == changed.get(column, row[column])]
    return rows


def _at_last(tables: Tables, row: pd.Series) -> str:
    """The slope at the last checkpoint, where there is none at the matched loss; exploratory."""
    rows = _same(tables, row, reading="last")
    if rows.empty or row["reading"] == "last" or verdict(rows.iloc[0]) == "open":
        return ""
    last = rows.iloc[0]
    return (
        f" At the last checkpoint, exploratory: slope {number(last['slope'])} {_unit(last)} "
        f"({100 * last['confidence']:g} % interval {number(last['lower'])} to {number(last['upper'])})."
    )


def _unit(row: pd.Series) -> str:
    return str(row["unit"]).replace("_", " ")


def _power(tables: Tables, row: pd.Series) -> str:
    """A warning where the power-weighted centroid gives a slope of the other sign (METHODS 3)."""
    if row["scalar"] != "centroid":
        return ""
    same = _same(tables, row, scalar="power_centroid")
    same = same[same["fraction"].isna() | (same["fraction"] == row["fraction"])]
    if same.empty or not np.isfinite(same["slope"].iloc[0]) or same["slope"].iloc[0] * row["slope"] >= 0:
        return ""
    return f" Caution: the power-weighted centroid has a slope of the other sign ({number(same['slope'].iloc[0])})."


def _claims(claims: pd.DataFrame) -> Sentence:
    if claims.empty:
        return Sentence("Claims", "The study makes no claim beforehand.", "open")
    failed = claims.loc[~claims["held"], "claim"].str.rstrip(".").tolist()
    held = len(claims) - len(failed)
    text = f"{held} of {len(claims)} claims made before the run held"
    if failed:
        text += "; failed: " + "; ".join(f"“{claim}”" for claim in failed)
    return Sentence("Claims", text + ".", "failed" if failed else "held")
