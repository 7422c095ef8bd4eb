"""Claims of a study, held or failed: computed from priority.csv, learning.csv and class_learning.csv.

config/statistics.py says what each kind means.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats

from ..config.statistics import LEARNING, First, Increasing, Separated
from ..config.study import Group, Study
from .contrasts import learning_scalars
from .learned_first import leads
from .tables import CLAIMS


class NotEvaluable(Exception):
    """A claim has no numbers to be judged by; its text says why."""


@dataclass(frozen=True)
class Estimate:
    """Mean of a group of runs with its interval.

    Attributes
    ----------
    name : str
        The group: a tier, or the start of the names of several; with its recipe where a claim compares recipes.
    mean, standard_error, lower, upper : float
        In the scalar's unit.
    over : str
        What the interval is over: `draws` and `seeds` (t), or `images` where there is one run only (normal).
    n : int
        How many of them.
    values : ndarray
        The means of the draws or seeds; empty where the interval is over images.
    """

    name: str
    mean: float
    standard_error: float
    lower: float
    upper: float
    over: str
    n: int
    values: np.ndarray


def estimate(name: str, runs: pd.DataFrame, confidence: float) -> Estimate:
    """Estimate the mean of a group of runs.

    With two draws or more the unit is the draw (a tier; seeds are averaged inside), with one draw the seed: t intervals
    on n − 1 degrees of freedom. With one run only, what is left is its standard error over images: normal interval.

    Parameters
    ----------
    name : str
        Name of the group, for messages.
    runs : DataFrame
        One row per run, with tier, value, standard_error, n and reached.
    confidence : float
        Level of the interval.

    Raises
    ------
    NotEvaluable
        Where there is no run, a run has no value, or the only run has no standard error.
    """
    if runs.empty:
        raise NotEvaluable(f"{name}: there is no such run")
    for reason, out in {
        "runs that never reached the level": ~runs["reached"],
        "runs without a value": runs["value"].isna(),
    }.items():
        if out.any():
            raise NotEvaluable(f"{name}: {reason}: {out.sum()} of {len(runs)}")
    draws = runs.groupby("tier", sort=False)["value"].mean().to_numpy()
    over, points = ("draws", draws) if len(draws) > 1 else ("seeds", runs["value"].to_numpy())
    mean = float(points.mean())
    if len(points) > 1:
        error = float(points.std(ddof=1) / np.sqrt(len(points)))
        reach, n = stats.t.ppf((1 + confidence) / 2, len(points) - 1) * error, len(points)
    else:
        over, error, n = "images", float(runs["standard_error"].iloc[0]), int(runs["n"].iloc[0])
        if np.isnan(error):
            raise NotEvaluable(f"{name}: too few runs: 1, and it has no standard error over images")
        reach, points = stats.norm.ppf((1 + confidence) / 2) * error, points[:0]
    return Estimate(name, mean, error, float(mean - reach), float(mean + reach), over, n, points)


def with_pooled_spread(groups: list[Estimate], confidence: float) -> list[Estimate]:
    """Give groups the intervals of one common spread, as an analysis of variance does.

    Two or three seeds tell little of a group's spread (with two, t is 12.7 standard errors); all groups of a claim
    together tell more: σ² = Σ (x − mean of its group)² ÷ Σ (n − 1), with that many degrees of freedom. Groups whose
    intervals are not all over the same unit, or are over images, stay as they are.

    Examples
    --------
    >>> def group(name, values):
    ...     runs = pd.DataFrame({"tier": name, "value": values, "standard_error": 0.1, "n": 9, "reached": True})
    ...     return estimate(name, runs, 0.95)
    >>> pooled = with_pooled_spread([group("a", [4.9, 5.1]), group("b", [8.8, 9.2])], 0.95)
    >>> [(round(one.lower, 2), round(one.upper, 2)) for one in pooled]
    [(4.32, 5.68), (8.32, 9.68)]
    """
    if len({one.over for one in groups}) > 1 or groups[0].over == "images":
        return groups
    freedom = sum(one.n - 1 for one in groups)
    spread = np.sqrt(sum(((one.values - one.mean) ** 2).sum() for one in groups) / freedom)
    pooled = []
    for one in groups:
        error = float(spread / np.sqrt(one.n))
        reach = float(stats.t.ppf((1 + confidence) / 2, freedom) * error)
        pooled.append(replace(one, standard_error=error, lower=one.mean - reach, upper=one.mean + reach))
    return pooled


def evaluate(
    study: Study,
    priority: pd.DataFrame,
    learning: pd.DataFrame | None = None,
    learned: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Judge every claim of a study.

    Parameters
    ----------
    study : Study
        Its claims and statistics settings.
    priority : DataFrame
        priority.csv, and the rows of measures.csv below it, as tables.py reads them.
    learning : DataFrame, optional
        learning.csv, for claims on scalars of learning.
    learned : DataFrame, optional
        class_learning.csv, for claims on the class that is learned first.

    Returns
    -------
    DataFrame
        claims.csv. `found` is the number that must be larger than `margin`: the gap between the two intervals, or the
        smallest rise. A claim that can't be evaluated has not held; `detail` says why, and `found` is empty.
    """
    rows = []
    if learning is not None:
        priority = pd.concat([priority, learning_scalars(learning)], ignore_index=True)
    for claim in study.claims:
        judge = JUDGES[claim.kind]
        try:
            rows_of = _leads(claim, learned) if isinstance(claim, First) else _runs(claim, study, priority)
            groups = [
                estimate(_name(claim, group), _group(rows_of, group), study.statistics.confidence)
                for group in study.groups_of(claim)
            ]
            found, detail = judge(claim, groups, rows_of["unit"].iloc[0], study.statistics.confidence)
        except NotEvaluable as reason:
            found, detail = None, f"can't be evaluated: {reason}"
        held = found is not None and found > claim.margin
        rows.append((claim.text, claim.kind, held, detail, claim.margin, found))
    return pd.DataFrame(rows, columns=list(CLAIMS))


def _runs(claim: Separated | Increasing, study: Study, priority: pd.DataFrame) -> pd.DataFrame:
    """Rows of the claim's scalar: one per run and instance, of every recipe."""
    chosen = (priority["scalar"] == claim.scalar) & (priority["reading"] == claim.reading)
    if claim.scalar not in LEARNING:
        chosen &= priority["instance"].isin([group.instance for group in study.groups_of(claim)])
    if claim.reading == "matched-loss":
        chosen &= np.isclose(priority["fraction"].astype(float), study.statistics.matched_fraction)
    return priority[chosen]


def _leads(claim: First, learned: pd.DataFrame | None) -> pd.DataFrame:
    """The lead of the claim's class: one row per run, of every recipe."""
    if learned is None:
        raise NotEvaluable("there is no class_learning.csv")
    found = leads(learned, claim.class_name, claim.by)
    if found.empty:
        known = ", ".join(dict.fromkeys(learned["class"]))
        raise NotEvaluable(f"no tier has one class {claim.class_name or claim.by!r}; the classes are {known}")
    return found.assign(instance="", scalar="lead")  # of no measure


def _group(runs: pd.DataFrame, group: Group) -> pd.DataFrame:
    """Runs of a recipe on the tier of that name, or on all tiers whose names start with it, by one instance."""
    start = f"{group.tiers}-"
    named = np.array([tier == group.tiers or tier.startswith(start) for tier in runs["tier"]], dtype=bool)
    read = (runs["instance"] == group.instance) | runs["scalar"].isin(LEARNING)
    return runs[named & (runs["recipe"] == group.recipe) & read]


def _name(claim: Separated | Increasing | First, group: Group) -> str:
    by = isinstance(claim, Separated)
    of_recipes, of_instances = (
        by and (getattr(claim, f"lower_{what}") or getattr(claim, f"higher_{what}"))
        for what in ("recipe", "instance")
    )
    return (
        group.tiers
        + f" with {group.recipe}" * bool(of_recipes)
        + f" by {group.instance}" * bool(of_instances)
    )


def _separated(claim: Separated, groups: list[Estimate], unit: str, confidence: float) -> tuple[float, str]:
    lower, higher = with_pooled_spread(groups, confidence)
    gap = higher.lower - lower.upper
    parts = [
        f"{one.name} {one.mean:.4g} [{one.lower:.4g}, {one.upper:.4g}]"
        f" ({confidence:.0%} {'normal' if one.over == 'images' else 'pooled t'} interval over {one.n} {one.over})"
        for one in (lower, higher)
    ]
    return gap, f"{_quantity(claim, unit)}: {'; '.join(parts)}; gap {gap:.4g}, margin {claim.margin:.4g}"


def _increasing(claim: Increasing, groups: list[Estimate], unit: str, confidence: float) -> tuple[float, str]:
    rise = float(np.diff([one.mean for one in groups]).min())
    parts = [
        f"{one.name} {one.mean:.4g} (SE {one.standard_error:.2g} over {one.n} {one.over})" for one in groups
    ]
    detail = f"{_quantity(claim, unit)}: {' < '.join(parts) if rise > 0 else '; '.join(parts)}"
    return rise, f"{detail}; smallest rise {rise:.4g}, margin {claim.margin:.4g}"


def _first(claim: First, groups: list[Estimate], unit: str, confidence: float) -> tuple[float, str]:
    (lead,) = groups
    known = claim.class_name or f"the class of the highest {claim.by}"
    detail = (
        f"F1 of {known} − the largest F1 of another class in {lead.name}: {lead.mean:.4g} "
        f"[{lead.lower:.4g}, {lead.upper:.4g}] ({confidence:.0%} {'normal' if lead.over == 'images' else 't'} "
        f"interval over {lead.n} {lead.over})"
    )
    return lead.lower, f"{detail}; lower end {lead.lower:.4g}, margin {claim.margin:.4g}"


JUDGES = {"separated": _separated, "increasing": _increasing, "learned-first": _first}
"""Kind of claim → what judges it: the number that must exceed the margin, and the numbers in words."""


def _quantity(claim: Separated | Increasing, unit: str) -> str:
    name = claim.scalar.replace("_", " ") if claim.scalar in LEARNING else claim.scalar
    compared = getattr(claim, "lower_instance", None) or getattr(claim, "higher_instance", None)
    if claim.instance != "gradient" and claim.scalar not in LEARNING and not compared:
        name += f" by {claim.instance}"
    return name if unit == "1" else f"{name} in {unit}"
