"""Does alignment with an artefact's spectrum go with overfitting to the artefact? (METHODS 9 and 10)

A point is an artefact × recipe, seeds averaged. Points that share an artefact or a recipe are not independent, so p is
how often the correlation is as large when artefacts exchange their spectra, every run keeping its profile and its
overfitting. Rings are never permuted: neighbours are alike. The t interval of the slope takes points as independent.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control, rankdata

from ..config.statistics import Statistics
from .least_squares import FEWEST_DRAWS, least_squares
from .permutation import SLACK
from .tables import ALIGNMENT_SUMMARY

POINT = ["dataset", "recipe"]
ALIGNED_BY = ("overlap", "distance", "source_overlap")
OUTCOMES = ("gap", "excess_gap")
"""`excess_gap` is `gap` minus `clean_gap`: what is lost beyond overfitting to clean images."""


def overfitting(aligned: pd.DataFrame, settings: Statistics) -> pd.DataFrame:
    """Correlate overfitting with alignment over artefacts × recipes.

    Parameters
    ----------
    aligned : DataFrame
        As `alignment.alignments` returns it: every run with every artefact's spectrum.
    settings : Statistics
        Confidence of the interval; number and seed of permutations.

    Returns
    -------
    DataFrame
        The columns ALIGNMENT_SUMMARY. Slopes are accuracy per unit of overlap, or per octave of distance. Where a
        number is missing, `note` says why.
    """
    aligned = aligned.assign(excess_gap=aligned["gap"] - aligned["clean_gap"])
    rows = [
        {"instance": instance, "alignment": by, "outcome": outcome, **_row(runs, by, outcome, settings)}
        for instance, runs in aligned.groupby("instance", sort=False)
        for by in ALIGNED_BY
        for outcome in OUTCOMES
    ]
    table = pd.DataFrame(rows, columns=list(ALIGNMENT_SUMMARY))
    tested = table["p_spearman"].notna()
    if tested.any():
        p = table.loc[tested, "p_spearman"].to_numpy(float)
        table.loc[tested, "p_adjusted"] = false_discovery_control(p)
    return table.astype({"arrangements": "Int64"})


def points_of(aligned: pd.DataFrame, by: str, outcome: str) -> tuple[pd.DataFrame, pd.Series]:
    """Return each point's alignment with every artefact's spectrum, (point, spectrum), and its outcome, (point,).

    Both are means over the runs of an artefact × recipe; points for which one is unknown are left out.
    """
    known = aligned.dropna(subset=[by, outcome])
    known = known[known["spectrum"].isin(known["dataset"])]
    means = known.groupby([*POINT, "spectrum"], sort=False)[[by, outcome]].mean()
    return means[by].unstack("spectrum"), means[outcome].groupby(POINT, sort=False).first()


def _row(runs: pd.DataFrame, by: str, outcome: str, settings: Statistics) -> dict[str, object]:
    every, y = points_of(runs, by, outcome)
    every = every.reindex(y.index)
    artefacts = list(every.columns)
    number = np.array([artefacts.index(dataset) for dataset, _ in y.index], dtype=int)
    x = every.to_numpy()[np.arange(len(y)), number]
    found: dict[str, object] = {
        "n": len(y),
        "artefacts": len(artefacts),
        "recipes": y.index.get_level_values("recipe").nunique(),
        "confidence": settings.confidence,
        "note": _note(x, y.to_numpy(), len(artefacts), settings),
    }
    if len(y) < 2 or np.ptp(x) == 0:
        return found
    line = least_squares(x, y.to_numpy()[:, None], settings.confidence)
    found |= {name: getattr(line, name)[0] for name in ("slope", "standard_error", "lower", "upper", "r2")}
    if np.ptp(y) > 0:
        found |= exchanged(every.to_numpy(), number, y.to_numpy(), settings)
    if len(y) < FEWEST_DRAWS or len(artefacts) < 2:
        found |= {"p_spearman": np.nan, "permutation": None, "arrangements": None}
    return found


def exchanged(
    every: np.ndarray, number: np.ndarray, y: np.ndarray, settings: Statistics
) -> dict[str, object]:
    """Return Spearman's ρ of y with alignment, and how often it is as large when artefacts exchange their spectra.

    Parameters
    ----------
    every : ndarray (point, spectrum)
        Alignment of each point with every artefact's spectrum.
    number : ndarray (point,)
        Which of them is its own.
    y : ndarray (point,)
        Not constant.
    settings : Statistics
        All arrangements are gone through where there are at most `permutations`; otherwise that many are drawn.

    Examples
    --------
    >>> own = np.array([[0.9, 0.1, 0.2], [0.3, 0.5, 0.4], [0.2, 0.8, 0.1]])
    >>> found = exchanged(own, np.arange(3), np.array([3.0, 2, 1]), Statistics())
    >>> found["spearman"], round(found["p_spearman"], 3), found["arrangements"]  # reversed once, too
    (1.0, 0.333, 6)
    """
    count = every.shape[1]
    exact = factorial(count) <= settings.permutations
    if exact:
        arrangements = np.array(list(permutations(range(count))))
    else:
        random = np.random.default_rng(settings.seed)
        drawn = random.permuted(np.tile(np.arange(count), (settings.permutations, 1)), axis=1)
        arrangements = np.vstack([np.arange(count), drawn])  # the observed one counts as one of them
    null = _spearman(every[np.arange(len(y)), arrangements[:, number]], y)
    observed = null[0]  # the first arrangement leaves every spectrum where it belongs
    return {
        "spearman": float(observed),
        "p_spearman": float((np.abs(null) >= abs(observed) - SLACK).mean()),
        "permutation": "exact" if exact else "monte-carlo",
        "arrangements": len(arrangements),
    }


def _spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """ρ of every row of x, (arrangement, point), with y; 0 where a row is constant."""
    ranks, other = rankdata(x, axis=1), rankdata(y)
    ranks, other = ranks - ranks.mean(axis=1, keepdims=True), other - other.mean()
    length = np.sqrt((ranks**2).sum(axis=1) * (other**2).sum())
    return np.divide(ranks @ other, length, out=np.zeros(len(x)), where=length > 0)


def _note(x: np.ndarray, y: np.ndarray, artefacts: int, settings: Statistics) -> str:
    """What must be known of the points to read a row's numbers."""
    if not len(x):
        return "not available: no run has both"
    notes = []
    if len(x) < FEWEST_DRAWS:
        notes.append(f"too few points for an interval or a p: {len(x)}; at least {FEWEST_DRAWS}")
    elif artefacts < 2:
        notes.append("one artefact: no spectra to exchange")
    elif 1 / factorial(artefacts) > 1 - settings.confidence:
        notes.append(
            f"{artefacts} artefacts have {factorial(artefacts)} arrangements: "
            f"p can't be below {1 / factorial(artefacts):.2g}"
        )
    if len(x) > 1:
        notes += [f"all points have the same {name}" for name, values in (("alignment", x), ("outcome", y))
                  if np.ptp(values) == 0]  # fmt: skip
    return "; ".join(notes)
