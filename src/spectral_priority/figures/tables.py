"""What figures and the report are made from: a study and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Study
from ..errors import InputError
from ..statistics.tables import (
    ALIGNMENT_PROFILES,
    ALIGNMENT_SUMMARY,
    CLAIMS,
    CORRELATIONS,
    read_adjusted,
    read_alignment,
    read_class_curves,
    read_class_learning,
    read_class_learning_summary,
    read_complexity,
    read_contrasts,
    read_learning,
    read_mixed,
    read_over_training,
    read_priority,
    read_shortcuts,
    read_shortcuts_summary,
    read_tier_alignment,
)
from ..store.netcdf import read_dataset
from ..store.tables import read_csv
from .shown import of_primary_recipes, primary

OTHER_TABLES = {
    **dict.fromkeys(
        ("alignment", "alignment_summary", "alignment_profiles"), "where it has planted artefacts"
    ),
    **dict.fromkeys(
        ("class_learning", "class_learning_summary", "class_curves"),
        "where it asks which class is learned first",
    ),
    **dict.fromkeys(("shortcuts", "shortcuts_summary"), "where it measures shortcuts"),
}
"""Tables that only some studies have, and which studies these are."""


@dataclass(frozen=True)
class Alignment:
    """Alignment with planted artefacts.

    Attributes
    ----------
    runs, summary, profiles : DataFrame
        alignment.csv, alignment_summary.csv, alignment_profiles.csv.
    """

    runs: pd.DataFrame
    summary: pd.DataFrame
    profiles: pd.DataFrame


@dataclass(frozen=True)
class ClassLearning:
    """Which class is learned first.

    Attributes
    ----------
    runs, summary, curves : DataFrame
        class_learning.csv, class_learning_summary.csv, class_curves.csv.
    """

    runs: pd.DataFrame
    summary: pd.DataFrame
    curves: pd.DataFrame


@dataclass(frozen=True)
class Shortcuts:
    """Frequency shortcuts.

    Attributes
    ----------
    by_class, summary : DataFrame
        shortcuts.csv, shortcuts_summary.csv.
    """

    by_class: pd.DataFrame
    summary: pd.DataFrame


@dataclass(frozen=True)
class Tables:
    """A study's results (columns in docs/architecture.md).

    Attributes
    ----------
    study : Study
        The resolved study.
    priority, complexity, learning, correlations, contrasts, claims : DataFrame
        The CSV files.
    profiles : DataFrame
        A row per run × checkpoint × ring of the primary recipes and instance: tier, seed, step, size, ring
        (cycles/image), share, share_se.
    alignment : Alignment or None
        None for a study without a planted artefact.
    class_learning : ClassLearning or None
        None for a study that does not ask which class is learned first.
    shortcuts : Shortcuts or None
        None for a study without an instance of that measure.
    over_training : DataFrame or None
        over_training.csv; only figures of what measures say over training have it.
    results : path or None
        The folder results/; only figures of images, classes and data have it.
    mixed, adjusted, tier_alignment : DataFrame or None
        The CSV files, where they were read: figures don't show them.
    """

    study: Study
    priority: pd.DataFrame
    complexity: pd.DataFrame
    learning: pd.DataFrame
    profiles: pd.DataFrame
    correlations: pd.DataFrame
    contrasts: pd.DataFrame
    claims: pd.DataFrame
    alignment: Alignment | None = None
    class_learning: ClassLearning | None = None
    shortcuts: Shortcuts | None = None
    over_training: pd.DataFrame | None = None
    results: Path | None = None
    mixed: pd.DataFrame | None = None
    adjusted: pd.DataFrame | None = None
    tier_alignment: pd.DataFrame | None = None

    def primary_priority(self) -> pd.DataFrame:
        """Rows of the primary recipes and instance."""
        rows = of_primary_recipes(self.study, self.priority)
        return rows[rows["instance"] == primary(self.study)[1]]


def read_tables(
    study: Study,
    *,
    priority: Path,
    complexity: Path,
    learning: Path,
    correlations: Path,
    contrasts: Path,
    claims: Path,
    mixed: Path | None = None,
    adjusted: Path | None = None,
    tier_alignment: Path | None = None,
    profiles: Path | None = None,
    alignment: Path | None = None,
    alignment_summary: Path | None = None,
    alignment_profiles: Path | None = None,
    class_learning: Path | None = None,
    class_learning_summary: Path | None = None,
    class_curves: Path | None = None,
    shortcuts: Path | None = None,
    shortcuts_summary: Path | None = None,
    over_training: Path | None = None,
    results: Path | None = None,
) -> Tables:
    """Read a study's tables; a missing file or column is refused by name. The report needs no profiles."""
    correlated = read_csv(correlations, CORRELATIONS)
    checked = read_csv(claims, CLAIMS)
    for name in ("family", "recipe", "instance"):
        correlated[name] = correlated[name].map(lambda found: "" if pd.isna(found) else str(found))
    checked["held"] = checked["held"].astype(str).str.lower() == "true"
    return Tables(
        study,
        read_priority(priority),
        read_complexity(complexity),
        read_learning(learning),
        _profiles(profiles, study) if profiles is not None else pd.DataFrame(),
        correlated,
        read_contrasts(contrasts),
        checked,
        alignment
        and Alignment(
            read_alignment(alignment),
            read_csv(alignment_summary, ALIGNMENT_SUMMARY),
            read_csv(alignment_profiles, ALIGNMENT_PROFILES),
        ),
        class_learning
        and ClassLearning(
            read_class_learning(class_learning),
            read_class_learning_summary(class_learning_summary),
            read_class_curves(class_curves),
        ),
        shortcuts and Shortcuts(read_shortcuts(shortcuts), read_shortcuts_summary(shortcuts_summary)),
        None if over_training is None else read_over_training(over_training),
        results,
        mixed and read_mixed(mixed),
        adjusted and read_adjusted(adjusted),
        tier_alignment and read_tier_alignment(tier_alignment),
    )


def _profiles(path: Path, study: Study) -> pd.DataFrame:
    dataset = read_dataset(path, "profiles")
    keys = pd.DataFrame({name: dataset[name].values.astype(str) for name in ("tier", "recipe", "instance")})
    own = of_primary_recipes(study, keys[keys["instance"] == primary(study)[1]])
    chosen = keys.index.isin(own.index)
    if not chosen.any():
        recipe, instance = primary(study)
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
