"""What figures and the report are made from: a study and its tables, and the choices that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Study
from ..errors import InputError
from ..statistics.draws import MOST_UNREACHED
from ..statistics.tables import CLAIMS, CORRELATIONS, HISTORY, read_complexity, read_priority
from ..store.netcdf import read_dataset
from ..store.tables import read_csv

PRIMARY_MEASURE = {
    "regroup": "log2_classes",
    "count": "log2_classes",
    "similarity": "hierarchy_similarity",
    "labels": None,
}
"""Kind of family → complexity measure that it varies; None: levels have names only."""

SCALAR_NAMES = {
    "centroid": "centroid",
    "power_centroid": "power centroid",
    "median_frequency": "median frequency",
    "low_share": "low share",
    "mid_share": "mid share",
    "high_share": "high share",
    "slope": "slope",
    "entropy": "entropy",
    "top_share": "top 5 % share",
}
"""Scalars of a profile as people read them."""

COMPLEXITY_NAMES = {
    "classes": "classes",
    "log2_classes": "log2 classes",
    "label_entropy": "label entropy",
    "hierarchy_similarity": "hierarchy similarity",
    "spectral_similarity": "spectral similarity",
    "fisher_ratio": "Fisher ratio",
    "n3": "N3 error",
    "psd_slope": "PSD slope",
    "psd_centroid": "PSD centroid",
}
"""Complexity measures as people read them."""


@dataclass(frozen=True)
class Tables:
    """A study's results (columns in docs/architecture.md).

    Attributes
    ----------
    study : Study
        The resolved study.
    priority, complexity, learning, correlations, claims : DataFrame
        The CSV files.
    profiles : DataFrame
        A row per run × checkpoint × ring of the primary recipe and instance: tier, seed, step, size, ring
        (cycles/image), share, share_se.
    """

    study: Study
    priority: pd.DataFrame
    complexity: pd.DataFrame
    learning: pd.DataFrame
    profiles: pd.DataFrame
    correlations: pd.DataFrame
    claims: pd.DataFrame

    def primary_priority(self) -> pd.DataFrame:
        """Rows of the primary recipe and instance."""
        recipe, instance = primary(self.study)
        return self.priority[(self.priority["recipe"] == recipe) & (self.priority["instance"] == instance)]


def read_tables(
    study: Study,
    *,
    priority: Path,
    complexity: Path,
    learning: Path,
    correlations: Path,
    claims: Path,
    profiles: Path | None = None,
) -> Tables:
    """Read a study's tables; a missing file or column is refused by name. The report needs no profiles."""
    curves = read_csv(learning, ["tier", "recipe", "seed", *HISTORY])
    correlated = read_csv(correlations, CORRELATIONS)
    checked = read_csv(claims, CLAIMS)
    for frame, names in ((curves, ("tier", "recipe")), (correlated, ("family", "recipe", "instance"))):
        for name in names:
            frame[name] = frame[name].map(lambda found: "" if pd.isna(found) else str(found))
    checked["held"] = checked["held"].astype(str).str.lower() == "true"
    shown = _profiles(profiles, *primary(study)) if profiles is not None else pd.DataFrame()
    return Tables(
        study, read_priority(priority), read_complexity(complexity), curves, shown, correlated, checked
    )


def primary(study: Study) -> tuple[str, str]:
    """Return the recipe and the instance of the primary hypotheses: the first recipe, the first loss gradient."""
    instances = [
        name
        for name, options in study.measures.items()
        if options.measure == "gradient" and options.objective == "loss"
    ]
    return next(iter(study.recipes)), (instances or list(study.measures))[0]


def sources(study: Study) -> str:
    """Name the recipe and instance that figures show, for their notes."""
    recipe, instance = primary(study)
    return f"Recipe {recipe}, measure {instance}."


def families(study: Study) -> dict[str, str]:
    """Return the study's families and their kinds, in its order, without controls."""
    return {name: family.kind for name, family in study.tiers.items() if family.kind != "control"}


def levels_of(study: Study, family: str) -> list[str]:
    """Return a family's levels in the order of the study."""
    return list(dict.fromkeys(tier.level for tier in study.list_tiers() if tier.family == family))


def controls_of(study: Study, family: str) -> dict[str, str]:
    """Return the control tiers of a family: control's name → the tier whose labels it shuffles."""
    return {
        tier.name: study.tiers[tier.family].of
        for tier in study.list_tiers()
        if study.tiers[tier.family].kind == "control"
        and study.tier(study.tiers[tier.family].of).family == family
    }


def reading_of(tables: Tables, family: str) -> tuple[str, float | None]:
    """Return the reading that a family is shown at: matched loss, or last where too many runs never reach it.

    Returns
    -------
    reading : str
    fraction : float or None
        Of the label entropy, for matched loss.
    """
    fraction = tables.study.statistics.matched_fraction
    rows = tables.primary_priority()
    rows = rows[
        (rows["family"] == family)
        & (rows["scalar"] == tables.study.statistics.scalar)
        & (rows["reading"] == "matched-loss")
        & np.isclose(rows["fraction"].astype(float), fraction)
    ]
    if rows.empty or (~rows["reached"]).mean() > MOST_UNREACHED:
        return "last", None
    return "matched-loss", fraction


def at_reading(frame: pd.DataFrame, reading: str, fraction: float | None) -> pd.DataFrame:
    """Return a table's rows of one reading."""
    rows = frame[frame["reading"] == reading]
    return rows if fraction is None else rows[np.isclose(rows["fraction"].astype(float), fraction)]


def reading_name(reading: str, fraction: float | None) -> str:
    """Say a reading in words.

    >>> reading_name("matched-loss", 0.5), reading_name("last", None)
    ('matched loss (0.5 of label entropy)', 'last checkpoint')
    """
    if reading == "matched-loss":
        return f"matched loss ({fraction:g} of label entropy)"
    return {"last": "last checkpoint", "mean": "mean over training"}.get(reading, reading)


def _profiles(path: Path, recipe: str, instance: str) -> pd.DataFrame:
    dataset = read_dataset(path, "profiles")
    chosen = (dataset["recipe"].values.astype(str) == recipe) & (
        dataset["instance"].values.astype(str) == instance
    )
    if not chosen.any():
        raise InputError(path, f"holds no profile of recipe {recipe!r} and instance {instance!r}")
    share = dataset["share"].values[chosen]
    rings = dataset["ring"].values if "ring" in dataset.coords else np.arange(1, share.shape[1] + 1)
    run, place = np.nonzero(np.isfinite(share))
    columns = {name: dataset[name].values[chosen][run] for name in ("tier", "seed", "step", "size")}
    return pd.DataFrame(
        {
            **columns,
            "ring": rings[place],
            "share": share[run, place],
            "share_se": dataset["share_se"].values[chosen][run, place],
        }
    ).astype({"tier": str, "seed": int, "step": int, "size": int, "ring": int})
