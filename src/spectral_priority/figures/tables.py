"""What figures and the report are made from: a study and its tables, and the choices that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..config import Study
from ..config.instances import of_measure
from ..errors import InputError
from ..statistics.draws import MOST_UNREACHED
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
    "validation_accuracy": "validation accuracy",
    "fixed_train_accuracy": "training accuracy",
    "gap": "generalisation gap",
}
"""Scalars of a profile, and of learning, as people read them."""

COMPLEXITY_NAMES = {
    "classes": "classes",
    "log2_classes": "log2 classes",
    "label_entropy": "label entropy",
    "hierarchy_similarity": "hierarchy similarity",
    "spectral_similarity": "spectral similarity",
    "adcs_share": "ADCS share",
    "fisher_ratio": "Fisher ratio",
    "n3": "N3 error",
    "silhouette": "silhouette",
    "csg": "CSG",
    "gbc": "GBC",
    "h_score": "H-score",
    "intrinsic_dimension": "TwoNN dimension",
    "within_class_diversity": "class diversity",
    "lfr_0.1": "LFR 0.1 %",
    "lfr_1": "LFR 1 %",
    "lfr_5": "LFR 5 %",
    "lfr_25": "LFR 25 %",
    "psd_slope": "PSD slope",
    "psd_centroid": "PSD centroid",
    "class_mean_psd_centroid": "class-mean PSD",
    "pinson_centroid": "Pinson",
}
"""Complexity measures as people read them."""


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


def measured(tables: Tables, measure: str) -> pd.DataFrame:
    """Return the rows of over_training.csv of the first instance of a measure; for `gradient`, of the primary one."""
    rows = tables.over_training[tables.over_training["measure"] == measure]
    instances = of_measure(tables.study, measure)
    chosen = primary(tables.study)[1] if measure == "gradient" else (instances or [""])[0]
    return rows[rows["instance"] == chosen]


def primary(study: Study) -> tuple[str, str]:
    """Return the recipe and the instance of the primary hypotheses: the first recipe, the first loss gradient."""
    instances = [
        name
        for name, options in study.measures.items()
        if options.measure == "gradient" and options.objective == "loss"
    ]
    return next(iter(study.recipes)), (instances or list(study.measures))[0]


def of_primary_recipes(study: Study, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table's rows of each tier's primary recipe: the study's first, or the first that it is trained with."""
    of_tier = {tier.name: study.recipes_of(tier.family)[0] for tier in study.list_tiers()}
    return frame[frame["recipe"] == frame["tier"].map(of_tier)]


def primary_recipes(study: Study) -> str:
    """Name the primary recipes: the study's first, and those of families that are not trained with it.

    >>> from ..config import parse_study
    >>> data = {"datasets": {"s": {"source": {"kind": "shapes-textures"}}}, "recipes": {"tuned": {}, "source": {}}}
    >>> one = {"kind": "labels", "dataset": "s", "labels": ["shape"], "recipes": ["tuned"]}
    >>> tiers = {"target": one, "pretraining": {**one, "recipes": ["source"]}}
    >>> primary_recipes(parse_study({"study": "transfer", "tiers": tiers, **data}))
    'tuned (pretraining: source)'
    """
    first = next(iter(study.recipes))
    others = {family: study.recipes_of(family)[0] for family in study.tiers}
    others = {family: recipe for family, recipe in others.items() if recipe != first}
    named = [
        f"{', '.join(family for family in others if others[family] == recipe)}: {recipe}"
        for recipe in dict.fromkeys(others.values())
    ]
    return f"{first} ({'; '.join(named)})" if named else first


def sources(study: Study) -> str:
    """Name the recipes and instance that figures show, for their notes."""
    return f"Recipe {primary_recipes(study)}, measure {primary(study)[1]}."


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


def contrast_table(tables: Tables) -> pd.DataFrame:
    """Return the rows of contrasts.csv that the page shows: primary instance, the study's scalar, two readings."""
    settings = tables.study.statistics
    rows = tables.contrasts
    rows = rows[(rows["instance"] == primary(tables.study)[1]) & (rows["scalar"] == settings.scalar)]
    parts = []
    for reading, fraction in (("last", None), ("matched-loss", settings.matched_fraction)):
        found = at_reading(rows, reading, fraction)
        parts.append(found.assign(reading=reading_name(reading, fraction)))
    columns = [
        *("family", "level", "recipe", "reference", "reading", "difference", "lower", "upper", "n", "over"),
        *("unit", "p_adjusted", "note"),
    ]
    return pd.concat(parts, ignore_index=True)[columns]


def class_order_row(tables: Tables, by: str) -> pd.Series:
    """Return the row of class_learning_summary.csv on F1 at the early step: of all tiers, or of the only one.

    Parameters
    ----------
    tables : Tables
    by : str
        `distinctiveness`, `contrast` or `frequency`.
    """
    rows = tables.class_learning.summary
    recipe = primary(tables.study)[0]
    rows = rows[rows["recipe"] == (recipe if (rows["recipe"] == recipe).any() else rows["recipe"].iloc[0])]
    rows = rows[(rows["by"] == by) & (rows["outcome"] == "f1")]
    return rows[rows["tier"].isna()].iloc[0] if rows["tier"].isna().any() else rows.iloc[0]


def is_related(row: pd.Series) -> bool:
    """Say whether the correlation of such a row is clear after correction."""
    return bool(row["p_adjusted"] < 1 - row["confidence"])


def is_clear(contrasts: pd.DataFrame) -> pd.Series:
    """Say of each contrast whether its interval excludes zero.

    >>> is_clear(pd.DataFrame({"lower": [0.1, -0.1, None], "upper": [0.3, 0.1, None]}, dtype=float)).tolist()
    [True, False, False]
    """
    return (contrasts["lower"] > 0) | (contrasts["upper"] < 0)


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
