"""Rates over made studies, each with its Monte-Carlo error: false positives, coverage, power, uniform p."""

from __future__ import annotations

import numpy as np
import pandas as pd

INTERVALS = {"t": "t", "bootstrap": "bootstrap", "mixed": "mixed model"}
NAMES = {
    "primary-1": "number of classes",
    "primary-2": "similarity",
    "nested": "number of classes, nested",
    "claim": "claim",
}
"""Questions as people read them."""
LOW, HIGH = 0.93, 0.97
"""Coverage of 95 % intervals that counts as kept."""


def rates(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Return a row per design × question × rate.

    Parameters
    ----------
    outcomes : DataFrame
        As `run_studies` returns it, of all designs and effects.

    Returns
    -------
    DataFrame
        `design, question, rate, effect, value, error, n, kept`. `rate` is `false positives` (effect 0), `power` (of
        each other effect), `coverage, <interval>` (all effects together), `no result`, or `p ≤ 0.05`, `p ≤ 0.2`,
        `p ≤ 0.5` of Spearman's permutation test (effect 0). `error` is the Monte-Carlo standard error, of
        the rate that is asked for. `kept`: false positives and p at most so much above their level as three errors,
        coverage within 93 and 97 % or three errors of that; empty for power.
    """
    rows = []
    for (design, question), some in outcomes.groupby(["design", "question"], sort=False):
        about = {"design": design, "question": question}
        rows.append({**about, **_rate("no result", ~some["answered"].astype(bool))})
        answered = some[some["answered"].astype(bool)]
        for effect, group in answered.groupby("effect"):
            name = "power" if effect else "false positives"
            asked = None if effect else 0.05
            rows.append({**about, "effect": effect, **_rate(name, group["rejected"], at_most=asked)})
        for column, name in INTERVALS.items():
            if column in answered and answered[column].notna().any():
                rows.append({**about, **_rate(f"coverage, {name}", answered[column].dropna(), between=True)})
        none = answered[answered["effect"] == 0]
        p = none["p_spearman"].dropna() if "p_spearman" in none else pd.Series(dtype=float)
        rows += [
            {**about, **_rate(f"p ≤ {level}", p <= level, at_most=level)}
            for level in (0.05, 0.2, 0.5)
            if len(p)
        ]
    return pd.DataFrame(rows)


def _rate(
    name: str, found: pd.Series, at_most: float | None = None, between: bool = False
) -> dict[str, object]:
    n = len(found)
    value = float(found.astype(bool).mean()) if n else np.nan
    asked = at_most if at_most is not None else 0.95 if between else value
    error = float(np.sqrt(asked * (1 - asked) / n)) if n else np.nan
    kept = None
    if at_most is not None:
        kept = bool(value <= at_most + 3 * error)
    elif between:
        kept = bool(LOW - 3 * error <= value <= HIGH + 3 * error)
    return {"rate": name, "value": value, "error": error, "n": n, "kept": kept}
