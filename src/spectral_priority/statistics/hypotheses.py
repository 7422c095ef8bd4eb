"""The two primary hypotheses, fixed by the study file before any run; everything else is exploratory (METHODS 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from ..config.study import Study

CHOSEN_BY = ("hierarchy", "path", "feature")
"""Similarities by which the classes of a primary family may be chosen, the preferred one first (METHODS 8). One
computed from spectra is circular, so such a family is exploratory whatever it shows."""
ORDER = ("primary-1", "primary-2", "robustness", "exploratory")
"""Order of the rows of correlations.csv."""


@dataclass(frozen=True)
class Hypothesis:
    """A slope that the study was made to estimate: the study's scalar at matched loss against a complexity measure.

    Attributes
    ----------
    name : str
        `primary-1` or `primary-2`.
    kind, complexity : str
        Kind of the family and complexity measure.
    family, instance : str or None
        The study's first family of that kind, and its first instance with the objective `loss`; None where it has none.
        Similarity families chosen in the hierarchy come before those chosen in the reference space.
    recipe : str
        The study's first recipe.
    """

    name: str
    kind: str
    complexity: str
    family: str | None
    instance: str | None
    recipe: str


def primary_hypotheses(study: Study) -> list[Hypothesis]:
    """Return the primary hypotheses: log2 k in `regroup`, hierarchy similarity in `similarity`."""
    instance = next(
        (name for name, options in study.measures.items() if getattr(options, "objective", None) == "loss"),
        None,
    )
    found = []
    for number, (kind, complexity) in enumerate(
        [("regroup", "log2_classes"), ("similarity", "hierarchy_similarity")], start=1
    ):
        families = [name for name, options in study.tiers.items() if options.kind == kind]
        if kind == "similarity":
            families = [
                name for by in CHOSEN_BY for name in families if getattr(study.tiers[name], "by", None) == by
            ]
        family = next(iter(families), None)
        found.append(
            Hypothesis(f"primary-{number}", kind, complexity, family, instance, next(iter(study.recipes)))
        )
    return found


def with_hypotheses(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Label each row of a correlation table with its hypothesis, and correct the p values of the slopes.

    Holm over the primary hypotheses that have a p; Benjamini–Hochberg over all other rows. A primary hypothesis with
    no row gets one that says why. The primary ones at a robustness fraction are labelled `robustness`.
    """
    settings = study.statistics
    table = table.assign(hypothesis="exploratory")
    absent = []
    for hypothesis in primary_hypotheses(study):
        same = (
            (table["family"] == hypothesis.family)
            & (table["recipe"] == hypothesis.recipe)
            & (table["instance"] == hypothesis.instance)
            & (table["complexity"] == hypothesis.complexity)
            & (table["scalar"] == settings.scalar)
            & (table["reading"] == "matched-loss")
        )
        primary = same & np.isclose(table["fraction"].astype(float), settings.matched_fraction)
        table.loc[same, "hypothesis"] = "robustness"
        table.loc[primary, "hypothesis"] = hypothesis.name
        if not primary.any():
            absent.append(_absent(hypothesis, study))
    table = _corrected(pd.DataFrame([*table.to_dict("records"), *absent], columns=table.columns))
    table = table.astype({"draws_needed": "Int64"})
    order = table["hypothesis"].map({name: place for place, name in enumerate(ORDER)})
    return table.iloc[np.argsort(order.to_numpy(), kind="stable")].reset_index(drop=True)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p values adjusted by Holm's step-down method.

    >>> holm(np.array([0.03, 0.02])).tolist()
    [0.04, 0.04]
    """
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    table = table.assign(p_adjusted=np.nan, correction=None)
    primary = table["hypothesis"].str.startswith("primary")
    for rows, adjust, name in [
        (primary, holm, "Holm over {} of 2 primary hypotheses"),
        (~primary, false_discovery_control, "Benjamini–Hochberg over {} rows"),
    ]:
        tested = rows & table["p_t"].notna()
        if tested.any():
            table.loc[tested, "p_adjusted"] = adjust(table.loc[tested, "p_t"].to_numpy(float))
            table.loc[tested, "correction"] = name.format(int(tested.sum()))
    return table


def _absent(hypothesis: Hypothesis, study: Study) -> dict[str, object]:
    settings = study.statistics
    if hypothesis.family is None:
        reason = f"the study has no family of kind {hypothesis.kind}"
        if any(options.kind == hypothesis.kind for options in study.tiers.values()):
            reason = f"every family of kind {hypothesis.kind} is chosen by spectra, which is circular"
    elif hypothesis.instance is None:
        reason = "the study has no measure with the objective loss"
    else:
        reason = (
            f"{hypothesis.complexity} is unknown or the same for all draws of {hypothesis.family}, "
            f"or {hypothesis.instance} has no {settings.scalar}"
        )
    return {
        "family": hypothesis.family,
        "recipe": hypothesis.recipe,
        "instance": hypothesis.instance,
        "reading": "matched-loss",
        "fraction": settings.matched_fraction,
        "scalar": settings.scalar,
        "complexity": hypothesis.complexity,
        "hypothesis": hypothesis.name,
        "draws": 0,
        "levels": 0,
        "confidence": settings.confidence,
        "note": f"not available: {reason}",
    }
