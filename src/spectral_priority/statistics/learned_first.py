"""Which class is learned first: each class's scores over training, beside how distinctive its spectrum is (METHODS 5).

A class's score is its F1 on validation images. Without any knowledge it is at most that of always naming the class,
2p ÷ (1 + p) for a class that is the share p of the images: 0.4 for one of four. What is above that was learned.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..config.study import Study
from ..errors import InputError
from .readings import crossing_weights
from .tables import CLASS_LEARNING

KNOWN = 3.0
"""Standard errors by which a class's F1 must exceed that of always naming it to count as learned."""


def class_learning(
    study: Study, curves: pd.DataFrame, distinctive: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Say how well each class of each run is known at the early step, when it was learned, and what sets it apart.

    Parameters
    ----------
    study : Study
        Its `learned_first` says which step is the early one.
    curves : DataFrame
        class_curves.csv.
    distinctive : mapping
        Tier → its classes with distinctiveness, contrast and frequency (data/distinctiveness.py).

    Returns
    -------
    DataFrame
        The columns CLASS_LEARNING, a row per run × class. `f1` and `recall` are those at `step`; `rank` is 1 for the
        run's largest F1 (equal ones share the mean rank). `midway_step` is where F1 first crosses the middle between
        `by_chance` and its last value, interpolated in log(1 + step); NaN for a class that is not `learned`: whose last
        F1 is not three standard errors above chance.

    Raises
    ------
    InputError
        For a class without validation images, and for a run without the early step.
    """
    step, rows = study.learned_first.step, []
    for (tier, recipe, seed), run in curves.groupby(["tier", "recipe", "seed"], sort=False):
        apart = distinctive[tier].set_index("class")
        facts = {**study.tier(tier)._asdict(), "tier": tier, "recipe": recipe, "seed": seed, "step": step}
        family = study.tiers[facts["family"]]
        facts["control"] = facts["level"] if family.kind == "control" else None
        total = run.loc[run["step"] == run["step"].min(), "n"].sum()
        for name, own in run.groupby("class", sort=False):
            rows.append({**facts, "class": name, **_scores(own, step, total), **apart.loc[name]})
    table = pd.DataFrame(rows)
    table["rank"] = table.groupby(["tier", "recipe", "seed"])["f1"].rank(ascending=False)
    return table[list(CLASS_LEARNING)]


def leads(learned: pd.DataFrame, class_name: str | None, by: str) -> pd.DataFrame:
    """Return by how much each run knows one class better than every other one at the early step.

    Parameters
    ----------
    learned : DataFrame
        class_learning.csv.
    class_name : str or None
        Which class; None: the tier's highest by `by`.
    by : str
        Column of the table.

    Returns
    -------
    DataFrame
        tier, recipe, seed, value (its F1 − the largest F1 of the others), standard_error (over images, the two taken as
        independent), n (images of the class), unit, reached: the columns of priority.csv that claims read. Runs without
        such a class have no row.
    """
    rows = []
    for (tier, recipe, seed), run in learned.groupby(["tier", "recipe", "seed"], sort=False):
        chosen = run[by] == run[by].max() if class_name is None else run["class"] == class_name
        if chosen.sum() != 1:
            continue
        own, other = run[chosen].iloc[0], run[~chosen].sort_values("f1").iloc[-1]
        error = float(np.hypot(own["f1_se"], other["f1_se"]))
        rows.append((tier, recipe, seed, own["f1"] - other["f1"], error, own["n"], "1", True))
    columns = ["tier", "recipe", "seed", "value", "standard_error", "n", "unit", "reached"]
    return pd.DataFrame(rows, columns=columns)


def _scores(own: pd.DataFrame, step: int, total: int) -> dict[str, object]:
    """Scores of one class in one run."""
    where = f"class_history.csv of {', '.join(str(own[name].iloc[0]) for name in ('tier', 'recipe', 'seed'))}"
    if own["f1"].isna().any():
        raise InputError(where, f"class {own['class'].iloc[0]} has no F1", "validation images of every class")
    early = own[own["step"] == step]
    if early.empty:
        raise InputError(where, f"has no step {step}", "the step of learned_first among the checkpoints")
    early, last = early.iloc[0], own.iloc[-1]
    n = int(last["n"])
    chance = f1_by_chance(n / total)
    learned = last["f1"] - chance > KNOWN * f1_error(n, last["recall"], last["precision"])
    return {
        "n": n,
        "f1": early["f1"],
        "f1_se": f1_error(n, early["recall"], early["precision"]),
        "recall": early["recall"],
        "by_chance": chance,
        "last_f1": last["f1"],
        "learned": bool(learned),
        "midway_step": crossing_step(own["step"].to_numpy(), own["f1"].to_numpy(), (chance + last["f1"]) / 2)
        if learned
        else np.nan,
    }


def f1_by_chance(share: float) -> float:
    """Return the largest F1 that takes no knowledge, that of always naming a class with this share of the images.

    >>> round(f1_by_chance(0.25), 3)
    0.4
    """
    return 2 * share / (1 + share)


def f1_error(n: int, recall: float, precision: float) -> float:
    """Return the standard error of F1 over images.

    With J hits, misses and false alarms together, h of them hits, F1 = 2q ÷ (1 + q) with q = h ÷ J. h is taken as
    binomial given J, so the error is that of q, √(q(1 − q) ÷ J), times dF1/dq = 2 ÷ (1 + q)². A class that is never
    hit, or hit without a fault, would have an error of 0; there q is taken half an image away from its end. Where false
    alarms are many the error is too large: by 43 % with 90 of 100 images hit and as many false alarms.

    Parameters
    ----------
    n : int
        Images of the class.
    recall, precision : float
        Precision 0 where the class is never named.

    Examples
    --------
    >>> round(f1_error(100, 0.8, 0.8), 3), round(f1_error(100, 1.0, 1.0), 3)
    (0.031, 0.004)
    """
    hits = n * recall
    union = n + (hits / precision if precision > 0 else 0) - hits
    q = min(max(hits / union, 0.5 / union), 1 - 0.5 / union)
    return float(2 / (1 + q) ** 2 * np.sqrt(q * (1 - q) / union))


def crossing_step(step: np.ndarray, rising: np.ndarray, level: float) -> float:
    """Return the step at which a quantity first rises to a level, interpolated in log(1 + step); NaN if never.

    >>> round(crossing_step(np.array([0, 10, 100]), np.array([0.0, 0.0, 1.0]), 0.5), 2)
    32.33
    """
    weights = crossing_weights(-np.asarray(rising, dtype=np.float64), -level)
    return float("nan") if weights is None else float(np.expm1(weights @ np.log1p(step)))
