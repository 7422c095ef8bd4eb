"""Means by level of a family: seeds within draws, draws within the level; with the interval of what is clear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as student

from ..config import Study
from .shown import families, levels_of

INTERVALS = {"draws": "over draws", "seeds": "over seeds", "measured": "within the one run"}
"""Kind of standard error → what it is over, in words; `measured`: as the measure itself tells it."""


def by_level(study: Study, rows: pd.DataFrame, keys: Sequence[str] = ()) -> pd.DataFrame:
    """Average a value over the runs of each level, and of each combination of keys.

    Parameters
    ----------
    study : Study
    rows : DataFrame
        tier, seed, value, standard_error and the keys, a row per run and combination; missing values are left out.
    keys : sequence of str
        Columns that tell values of a run apart, such as `step`.

    Returns
    -------
    DataFrame
        family, level, the keys, value, standard_error, interval (`draws`, `seeds`, or `measured` where there is one
        run), reach (half of the t interval at the study's confidence, but no less than the runs' own errors make it),
        draws, runs; without controls. Combinations that not every run of the level has are left out.
    """
    keys, parts = list(keys), []
    tiers = study.list_tiers()
    for family in families(study):
        for level in levels_of(study, family):
            names = [tier.name for tier in tiers if (tier.family, tier.level) == (family, level)]
            own = rows[rows["tier"].isin(names) & rows["value"].notna()]
            if not own.empty:
                parts.append(_mean(own, keys, study.statistics.confidence).assign(family=family, level=level))
    columns = ["family", "level", *keys, "value", "standard_error", "interval", "reach", "draws", "runs"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _mean(own: pd.DataFrame, keys: list[str], confidence: float) -> pd.DataFrame:
    own = own.assign(all=0)
    keys = keys or ["all"]
    seeds = own.groupby([*keys, "tier"], sort=False)["value"].mean().groupby(level=keys, sort=False)
    runs = own.groupby(keys, sort=False)["value"].agg(["mean", "std", "size"])
    draws = seeds.agg(["mean", "std", "size"])
    if draws["size"].max() > 1:
        interval, error, free = "draws", draws["std"] / np.sqrt(draws["size"]), draws["size"] - 1
    elif runs["size"].max() > 1:
        interval, error, free = "seeds", runs["std"] / np.sqrt(runs["size"]), runs["size"] - 1
    else:
        interval, error, free = "measured", own.groupby(keys, sort=False)["standard_error"].first(), np.inf
    # Two seeds that agree by chance would leave no interval: it is no shorter than what one run's own error makes it.
    squares = (own["standard_error"] ** 2).groupby([own[key] for key in keys], sort=False).mean()
    within = np.sqrt(squares / runs["size"]).fillna(0.0) * student.ppf((1 + confidence) / 2, np.inf)
    found = pd.DataFrame(
        {
            "value": draws["mean"],
            "standard_error": error,
            "interval": interval,
            "reach": np.maximum(error * student.ppf((1 + confidence) / 2, free), within),
            "draws": draws["size"],
            "runs": runs["size"],
        }
    )
    return found[found["runs"] == found["runs"].max()].reset_index()


def clear_rule(study: Study) -> str:
    """Say when a difference is called clear, for the notes of figures."""
    return f"Clear: the {100 * study.statistics.confidence:g} % t interval over these leaves out zero, uncorrected."


def of_runs(data: pd.DataFrame) -> str:
    """Say of how many runs the means are, and over what their standard errors.

    >>> of_runs(pd.DataFrame({"draws": [1, 2], "runs": [2, 2], "interval": ["seeds", "draws"]}))
    'n = 2 runs of 1–2 draws per level; ±1 standard error over draws, else over seeds'
    """
    runs, draws = (_range(data[name], name[:-1]) for name in ("runs", "draws"))
    kinds = [text for kind, text in INTERVALS.items() if (data["interval"] == kind).any()]
    return f"n = {runs} of {draws} per level; ±1 standard error {', else '.join(kinds)}"


def _range(values: pd.Series, noun: str) -> str:
    fewest, most = int(values.min()), int(values.max())
    return f"{most} {noun}{'' if most == 1 else 's'}" if fewest == most else f"{fewest}–{most} {noun}s"


def listed(parts: Sequence[str]) -> str:
    """Join parts of a sentence.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
