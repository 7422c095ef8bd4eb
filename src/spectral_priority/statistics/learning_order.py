"""Does the order in which classes are learned go with how distinctive their spectra are, or with where they lie?

Within a run, classes are ranked by how early they are learned and by what sets their spectra apart; Spearman's ρ of the
two is averaged over the seeds of a tier, and over the tiers of a recipe. A tier has one set of images, so its seeds are
no independent samples of spectra: p is how often the mean ρ is as large when classes exchange their spectra, the same
way in all seeds of a tier and independently in each tier. All of it is exploratory.
"""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from scipy import stats
from scipy.stats import false_discovery_control, rankdata

from ..config.statistics import Statistics
from .learned_first import KNOWN
from .permutation import SLACK
from .tables import CLASS_LEARNING_SUMMARY

BY = ("distinctiveness", "contrast", "frequency")
"""What classes are ordered by: highest first."""
OUTCOMES = ("f1", "midway_step")
"""How early a class is learned: the larger its F1 at the early step, or the sooner it is midway."""
RUN = ["tier", "recipe", "seed"]


def learning_order(learned: pd.DataFrame, settings: Statistics) -> pd.DataFrame:
    """Correlate how early classes are learned with their spectra; controls are left out.

    Parameters
    ----------
    learned : DataFrame
        class_learning.csv.
    settings : Statistics
        `permutations`, `confidence` and `seed` are read.

    Returns
    -------
    DataFrame
        The columns CLASS_LEARNING_SUMMARY: a row per recipe × tier × by × outcome, and one with an empty tier for all
        tiers of a recipe where there are several. `class` is the tier's highest by `by`; `first` the share of runs in
        which it was learned first (runs in which k classes were first together count 1/k; those in which no class was
        above chance count 0 and are in `undecided`), with the Clopper–Pearson interval over seeds, or over tiers.
        `rho` is the mean ρ, with a t interval over seeds, or over tiers.
    """
    learned = learned[learned["control"].isna()]
    rows = []
    for recipe, of_recipe in learned.groupby("recipe", sort=False):
        for by in BY:
            for outcome in OUTCOMES:
                tiers = [
                    _Tier(rows_of_tier, by, outcome, settings.seed + number)
                    for number, (_, rows_of_tier) in enumerate(of_recipe.groupby("tier", sort=False))
                ]
                made = [_row([tier], settings) for tier in tiers]
                if len(tiers) > 1:
                    made.append(_row(tiers, settings))
                rows += [{"recipe": recipe, "by": by, "outcome": outcome, **row} for row in made]
    table = pd.DataFrame(rows, columns=list(CLASS_LEARNING_SUMMARY))
    tested = table["p"].notna()
    if tested.any():
        table.loc[tested, "p_adjusted"] = false_discovery_control(table.loc[tested, "p"])
    return table


class _Tier:
    """One tier: its classes' predictor, and how early each seed learned them."""

    def __init__(self, rows: pd.DataFrame, by: str, outcome: str, seed: int):
        runs = [run for _, run in rows.groupby("seed", sort=False)]
        self.facts = rows.iloc[0]
        self.x = runs[0][by].to_numpy(dtype=np.float64)
        early = np.stack([_earliness(run, outcome) for run in runs])
        self.highest = int(np.nanargmax(self.x)) if np.isfinite(self.x).any() else None
        self.highest_class = None if self.highest is None else runs[0]["class"].iloc[self.highest]
        known = np.array(
            [(run["f1"] - run["by_chance"] > KNOWN * run["f1_se"]).any() for run in runs]
            if outcome == "f1"
            else [run["learned"].any() for run in runs]
        )
        self.undecided = int((~known).sum())
        first = early == early.max(axis=1, keepdims=True)
        credit = first / first.sum(axis=1, keepdims=True) * known[:, None]
        self.first = credit[:, self.highest] if self.highest is not None else np.full(len(runs), np.nan)
        self.ranks = _unit(rankdata(early, axis=1))
        self.testable = bool(np.isfinite(self.x).all() and np.ptp(self.x) > 0)
        self._seed = seed

    def rho(self) -> np.ndarray:
        """ρ of every seed; 0 for one that learned all classes equally."""
        return self.ranks @ _unit(rankdata(self.x)[None])[0]

    def null(self, settings: Statistics) -> tuple[np.ndarray, bool]:
        """Mean ρ over seeds for arrangements of the predictor over classes, and whether these are all there are."""
        own = _unit(rankdata(self.x)[None])[0]
        exact = factorial(len(own)) <= settings.permutations
        if exact:
            arrangements = np.array(list(permutations(own)))
        else:
            random = np.random.default_rng(self._seed)
            arrangements = random.permuted(np.tile(own, (settings.permutations, 1)), axis=1)
        return arrangements @ self.ranks.mean(axis=0), exact


def _earliness(run: pd.DataFrame, outcome: str) -> np.ndarray:
    """A number per class, larger for one that is learned earlier; the lowest for one that is not learned."""
    return run["f1"].to_numpy() if outcome == "f1" else -run["midway_step"].fillna(np.inf).to_numpy()


def _unit(ranks: np.ndarray) -> np.ndarray:
    """Centred rows of length 1, so that ρ is the product of two; zeros where a row is constant."""
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)


def _row(tiers: list[_Tier], settings: Statistics) -> dict[str, object]:
    """The row of one tier, over its seeds, or that of several, over tiers."""
    one = len(tiers) == 1
    first = tiers[0].first if one else np.array([tier.first.mean() for tier in tiers])
    runs = sum(len(tier.first) for tier in tiers)
    found: dict[str, object] = {
        "over": "seeds" if one else "tiers",
        "n": len(first),
        "runs": runs,
        "classes": len(tiers[0].x) if len({len(tier.x) for tier in tiers}) == 1 else None,
        "step": tiers[0].facts["step"],
        "undecided": sum(tier.undecided for tier in tiers),
        "first_by_chance": float(np.mean([1 / len(tier.x) for tier in tiers])),
        "confidence": settings.confidence,
    }
    if one:
        found |= {name: tiers[0].facts[name] for name in ("tier", "family", "level", "draw")}
        found["class"] = tiers[0].highest_class
    lower, upper = clopper_pearson(float(first.sum()), len(first), settings.confidence)
    found |= {"first": first.mean(), "first_lower": lower, "first_upper": upper}
    testable = [tier for tier in tiers if tier.testable]
    rho = testable[0].rho() if one and testable else np.array([tier.rho().mean() for tier in testable])
    found["note"] = _note(tiers, testable, rho)
    if not testable:
        return found
    found |= _mean(rho, settings.confidence) | _probability(testable, float(rho.mean()), settings)
    return found


def _mean(rho: np.ndarray, confidence: float) -> dict[str, float]:
    """Mean ρ with a t interval, cut at −1 and 1; one value alone has none."""
    mean, nothing = float(rho.mean()), float("nan")
    if len(rho) < 2:
        return {"rho": mean, "rho_se": nothing, "rho_lower": nothing, "rho_upper": nothing}
    error = float(rho.std(ddof=1) / np.sqrt(len(rho)))
    reach = float(stats.t.ppf((1 + confidence) / 2, len(rho) - 1) * error)
    return {
        "rho": mean, "rho_se": error, "rho_lower": max(mean - reach, -1.0), "rho_upper": min(mean + reach, 1.0),
    }  # fmt: skip


def _probability(tiers: list[_Tier], observed: float, settings: Statistics) -> dict[str, object]:
    """Two-sided p of the mean ρ over tiers, each of which exchanges its own classes."""
    nulls = [tier.null(settings) for tier in tiers]
    count = np.prod([float(len(null)) for null, _ in nulls])
    exact = all(whole for _, whole in nulls) and count <= settings.permutations
    if exact:
        sums = np.zeros(1)
        for null, _ in nulls:
            sums = (sums[:, None] + null).ravel()
    else:
        random = np.random.default_rng(settings.seed)
        sums = sum(random.choice(null, settings.permutations) for null, _ in nulls)
    as_large = (np.abs(sums / len(tiers)) >= abs(observed) - SLACK).sum()
    added = 0 if exact else 1  # the observed arrangement counts as one of the random ones
    return {
        "p": float((as_large + added) / (len(sums) + added)),
        "permutation": "exact" if exact else "monte-carlo",
        "arrangements": len(sums) + added,
    }


def clopper_pearson(hits: float, n: int, confidence: float) -> tuple[float, float]:
    """Return the Clopper–Pearson interval of a share; a hit may be shared, so hits needn't be whole.

    >>> [round(end, 3) for end in clopper_pearson(3, 3, 0.95)]
    [0.292, 1.0]
    """
    if not np.isfinite(hits):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    lower = 0.0 if hits <= 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
    upper = 1.0 if hits >= n else float(stats.beta.ppf(1 - tail, hits + 1, n - hits))
    return lower, upper


def _note(tiers: list[_Tier], testable: list[_Tier], rho: np.ndarray) -> str:
    """What must be known to read a row's numbers."""
    notes = []
    if len(testable) < len(tiers):
        untested = [tier.facts["tier"] for tier in tiers if not tier.testable]
        notes.append(f"all classes have the same spectrum by this measure: {', '.join(untested)}")
    if len(tiers) == 1 and testable and factorial(len(tiers[0].x)) < 40:
        fewest = 2 / factorial(len(tiers[0].x))  # an order and its reverse have equal |ρ|
        notes.append(f"{len(tiers[0].x)} classes: p can't be below {fewest:.2g}")
    if len(rho) > 1 and np.ptp(rho) < SLACK:
        notes.append(
            f"all {'seeds' if len(tiers) == 1 else 'tiers'} have the same ρ, so its interval says little"
        )
    undecided = sum(tier.undecided for tier in tiers)
    if undecided:
        notes.append(f"no class above chance in {undecided} runs")
    return "; ".join(notes)
