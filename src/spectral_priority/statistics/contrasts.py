"""Contrasts between recipes: what a change of recipe does to a scalar, same tiers and same seeds (METHODS 9).

The reference of a family is its primary recipe: the study's first, or the first that the family is trained with.
Controls enter no contrast. All of them are exploratory.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from scipy.stats import false_discovery_control

from ..config.statistics import LEARNING
from ..config.study import Study
from .draws import MOST_UNREACHED
from .tables import CONTRASTS

RUN = ["tier", "seed"]
"""What the two runs of a pair have in common."""
QUANTITY = ["instance", "reading", "fraction", "scalar"]
"""What tells one quantity from another; `fraction` is NaN for readings that are not matched."""


def learning_scalars(learning: pd.DataFrame) -> pd.DataFrame:
    """Return how well each run learned, as rows like those of priority.csv: a row per run × scalar of learning.

    Parameters
    ----------
    learning : DataFrame
        learning.csv as tables.py reads it.

    Returns
    -------
    DataFrame
        tier, recipe, seed, instance (empty), reading (`last`), fraction (NaN), scalar, value, standard_error (NaN),
        unit, reached.

    Examples
    --------
    >>> curve = pd.DataFrame({"tier": "a", "recipe": "base", "seed": 0, "step": [0, 10],
    ...                       "validation_accuracy": [0.25, 0.5], "fixed_train_accuracy": [0.25, 0.75]})
    >>> learning_scalars(curve)[["scalar", "value"]].to_numpy().tolist()
    [['validation_accuracy', 0.5], ['fixed_train_accuracy', 0.75], ['gap', 0.25]]
    """
    keys = ["tier", "recipe", "seed"]
    last = learning.loc[learning.groupby(keys, sort=False)["step"].idxmax()]
    last = last.assign(gap=last["fixed_train_accuracy"] - last["validation_accuracy"])
    rows = last.melt(keys, list(LEARNING), "scalar", "value")
    return rows.assign(
        instance="", reading="last", fraction=np.nan, standard_error=np.nan, unit="1", reached=True
    )


def contrasts(study: Study, priority: pd.DataFrame, learning: pd.DataFrame) -> pd.DataFrame:
    """Compare every recipe with its family's reference: recipe − reference, paired by tier and seed.

    The unit of analysis is the draw, with seeds averaged inside; the seed where a level has one draw. t intervals on
    n − 1 degrees of freedom, and p values corrected by Benjamini–Hochberg over the table.

    Parameters
    ----------
    study : Study
    priority, learning : DataFrame
        priority.csv, with the rows of measures.csv below it, and learning.csv, as tables.py reads them.

    Returns
    -------
    DataFrame
        contrasts.csv. Where a number is missing, `note` says why.
    """
    runs = pd.concat([priority, learning_scalars(learning)], ignore_index=True)
    rows = []
    for (family, level), tiers in _levels(study).items():
        reference, *others = study.recipes_of(family)
        own = runs[runs["tier"].isin(tiers)]
        for recipe in others:
            pair = own[own["recipe"].isin([reference, recipe])]
            for quantity, found in pair.groupby(QUANTITY, dropna=False, sort=False):
                rows.append(
                    {
                        "family": family,
                        "level": level,
                        "recipe": recipe,
                        "reference": reference,
                        "unit": found["unit"].iloc[0],
                        "confidence": study.statistics.confidence,
                        **dict(zip(QUANTITY, quantity, strict=True)),
                        **_contrast(found, recipe, reference, study.statistics.confidence),
                    }
                )
    table = pd.DataFrame(rows, columns=list(CONTRASTS))
    return _corrected(table).astype({"n": "Int64"})


def paired_t(differences: np.ndarray, confidence: float) -> dict[str, float]:
    """Return the mean of paired differences with its t interval and two-sided p, on n − 1 degrees of freedom.

    One difference has no interval; differences that are all the same have no p.

    >>> {name: round(value, 3) for name, value in paired_t(np.array([1.0, 2.0, 3.0]), 0.95).items()}
    {'difference': 2.0, 'standard_error': 0.577, 'lower': -0.484, 'upper': 4.484, 'p_t': 0.074}
    """
    mean, freedom = float(differences.mean()), len(differences) - 1
    if freedom < 1:
        return {"difference": mean}
    error = float(differences.std(ddof=1) / np.sqrt(len(differences)))
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, freedom)) if np.ptp(differences) > 0 else np.nan
    return {
        "difference": mean,
        "standard_error": error,
        "lower": mean - reach,
        "upper": mean + reach,
        "p_t": p,
    }


def _levels(study: Study) -> dict[tuple[str, str], list[str]]:
    """The tiers of each level; draws of one level are repetitions of each other."""
    levels: dict[tuple[str, str], list[str]] = {}
    for tier in study.list_tiers(controls=False):
        levels.setdefault((tier.family, tier.level), []).append(tier.name)
    return levels


def _contrast(found: pd.DataFrame, recipe: str, reference: str, confidence: float) -> dict[str, object]:
    """Columns of contrasts.csv for one quantity of two recipes on the tiers of one level."""
    never, absent = found[~found["reached"]], found[found["reached"] & found["value"].isna()]
    left_out = {"never reach the level": never, "have no value": absent}
    notes = [f"{reason}: {_per_recipe(out, len(found))}" for reason, out in left_out.items() if len(out)]
    if len(never) > MOST_UNREACHED * len(found):
        return {"n": 0, "note": f"no matched result, {notes[0]}, more than {MOST_UNREACHED:.0%}"}
    values = found.pivot(index=RUN, columns="recipe", values="value").reindex(columns=[recipe, reference])
    difference = (values[recipe] - values[reference]).dropna()
    by_tier = difference.groupby(level="tier", sort=False).mean()
    over, points = ("draws", by_tier) if found["tier"].nunique() > 1 else ("seeds", difference)
    if len(points) == 0:
        return {"n": 0, "over": over, "note": "; ".join([*notes, "no pair of runs with a value"])}
    if len(points) == 1:
        notes.append(f"one of the {over}: no interval")
    elif np.ptp(points) == 0:
        notes.append(f"all {over} have the same difference: no p")
    return {
        **paired_t(points.to_numpy(float), confidence),
        "n": len(points),
        "over": over,
        "note": "; ".join(notes),
    }


def _per_recipe(out: pd.DataFrame, all_runs: int) -> str:
    counts = out.groupby("recipe", sort=False).size()
    return (
        f"{len(out)} of {all_runs} runs ({', '.join(f'{name}: {count}' for name, count in counts.items())})"
    )


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    table, tested = table.assign(correction=None), table["p_t"].notna()
    if tested.any():
        table.loc[tested, "p_adjusted"] = false_discovery_control(table.loc[tested, "p_t"].to_numpy(float))
        table.loc[tested, "correction"] = f"exploratory; Benjamini–Hochberg over {int(tested.sum())} rows"
    return table
