"""Columns of the tables between gather and correlate, and how they are read back (docs/architecture.md)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..store.tables import read_csv

PRIORITY = (
    "tier", "family", "kind", "level", "draw", "chain", "control", "recipe", "seed", "instance", "reading",
    "fraction", "scalar", "value", "standard_error", "untrained", "unit", "n", "reached",
)  # fmt: skip
"""priority.csv: a row per run × instance × reading × scalar of a profile; measures.csv: of the other measures."""

COMPLEXITY = (
    "tier", "family", "level", "draw", "measure", "value", "standard_error", "n", "unit", "harder",
)  # fmt: skip
"""complexity.csv: a row per tier × measure."""

HISTORY = (
    "step", "epoch", "images_seen", "learning_rate", "train_loss", "fixed_train_loss", "fixed_train_accuracy",
    "loss_fraction", "validation_loss", "validation_accuracy", "chance", "corrected_accuracy",
)  # fmt: skip
"""history.csv: a row per checkpoint of a run."""

CORRELATIONS = (
    "family", "recipe", "instance", "reading", "fraction", "scalar", "complexity", "hypothesis", "draws",
    "levels", "slope", "standard_error", "lower", "upper", "confidence", "unit", "r2", "p_t", "spearman",
    "kendall", "p_spearman", "p_kendall", "permutation", "p_adjusted", "correction", "detectable_slope",
    "draws_needed", "bootstrap_lower", "bootstrap_upper", "note",
)  # fmt: skip
"""correlations.csv; `p_adjusted` is `p_t` after the correction that `correction` names; bootstrap intervals need ten
draws."""

MIXED = (
    "family", "recipe", "instance", "reading", "fraction", "scalar", "complexity", "hypothesis", "model", "runs",
    "draws", "chains", "slope", "standard_error", "lower", "upper", "confidence", "unit", "p_t", "chain_sd", "draw_sd",
    "seed_sd", "note",
)  # fmt: skip
"""mixed.csv: a row per row of correlations.csv that is no exploratory one; `p_t` is not corrected."""

ADJUSTED = (
    "family", "recipe", "instance", "reading", "fraction", "scalar", "complexity", "hypothesis", "covariate",
    "covariate_unit", "draws", "slope", "lower", "upper", "adjusted_slope", "adjusted_lower", "adjusted_upper",
    "confidence", "unit", "covariate_slope", "correlation", "note",
)  # fmt: skip
"""adjusted.csv: a row per primary hypothesis × reading × covariate; descriptive, so without p. `correlation` is that of
complexity with the covariate."""

CONTRASTS = (
    "family", "level", "recipe", "reference", "instance", "reading", "fraction", "scalar", "difference",
    "standard_error", "lower", "upper", "confidence", "n", "over", "unit", "p_t", "p_adjusted", "correction", "note",
)  # fmt: skip
"""contrasts.csv: a row per recipe × level × quantity; `instance` is empty for scalars of learning."""

ALIGNMENT = (
    "tier", "family", "level", "draw", "recipe", "seed", "instance", "dataset", "artefact", "overlap", "distance",
    "source_overlap", "step", "train_accuracy", "validation_accuracy", "gap", "clean_gap",
)  # fmt: skip
"""alignment.csv: a row per run on a data set with an artefact × instance."""

ALIGNMENT_PROFILES = ("kind", "name", "instance", "ring", "share", "standard_error", "n")
"""alignment_profiles.csv: the spectra of the artefacts (`artefact`, named after the data set; `n` images) and the
profiles at step 0 (`start`, named after the recipe; `n` runs), a row per ring."""

ALIGNMENT_SUMMARY = (
    "instance", "alignment", "outcome", "n", "artefacts", "recipes", "slope", "standard_error", "lower", "upper",
    "confidence", "r2", "spearman", "p_spearman", "permutation", "arrangements", "p_adjusted", "note",
)  # fmt: skip
"""alignment_summary.csv: a row per instance × alignment × outcome. All of it is exploratory: `p_adjusted` is
Benjamini–Hochberg within the table."""

TIER_ALIGNMENT = (
    "family", "recipe", "instance", "spectrum", "tiers", "overlap", "overlap_exchanged", "p_overlap", "distance",
    "distance_exchanged", "p_distance", "permutation", "arrangements", "p_adjusted", "note",
)  # fmt: skip
"""tier_alignment.csv: a row per family × recipe × instance × kind of spectrum. All of it is exploratory: `p_adjusted`
is `p_overlap` after Benjamini–Hochberg within the table."""

CLASS_CURVES = ("tier", "recipe", "seed", "step", "epoch", "class", "n", "recall", "precision", "f1")
"""class_curves.csv: the rows of every run's class_history.csv behind its tier, recipe and seed."""

CLASS_LEARNING = (
    "tier", "family", "level", "draw", "control", "recipe", "seed", "class", "n", "step", "f1", "f1_se", "recall",
    "rank", "by_chance", "last_f1", "learned", "midway_step", "distinctiveness", "contrast", "frequency",
)  # fmt: skip
"""class_learning.csv: a row per run × class."""

CLASS_LEARNING_SUMMARY = (
    "tier", "family", "level", "draw", "recipe", "by", "outcome", "step", "classes", "class", "runs", "undecided",
    "first", "first_lower", "first_upper", "first_by_chance", "rho", "rho_se", "rho_lower", "rho_upper", "over", "n",
    "confidence", "p", "permutation", "arrangements", "p_adjusted", "note",
)  # fmt: skip
"""class_learning_summary.csv: a row per recipe × tier (empty: all of them) × by × outcome. All of it is exploratory:
`p_adjusted` is Benjamini–Hochberg within the table."""
SHORTCUTS = (
    "tier", "recipe", "seed", "instance", "step", "class", "mask", "headline", "tpr", "tpr_lower", "tpr_upper", "fpr",
    "fpr_lower", "fpr_upper", "shortcut", "threshold", "kept_share", "dc_tpr", "dc_fpr", "clean_tpr", "clean_fpr", "n",
    "n_other",
)  # fmt: skip
"""shortcuts.csv: a row per run × instance of `shortcuts` × class × mask, at the last checkpoint; `headline` tells the
mask that scalars are about, `n` and `n_other` count images of the class and of others."""

SHORTCUTS_SUMMARY = (
    "tier", "recipe", "instance", "mask", "headline", "quantity", "mean", "standard_error", "lower", "upper",
    "confidence", "n", "classes", "unit", "note",
)  # fmt: skip
"""shortcuts_summary.csv: a row per tier × recipe × instance × mask × quantity, over `n` seeds."""

OVER_TRAINING = (
    "tier", "recipe", "seed", "instance", "measure", "variable", "of", "at", "step", "value", "standard_error", "unit",
    "n",
)  # fmt: skip
"""over_training.csv: a row per run of the primary recipes × instance × variable × name (`of`) × number (`at`) × step;
`n` as the measure counts it."""

CLAIMS = ("claim", "kind", "held", "detail", "margin", "found")
"""claims.csv: a row per claim of the study."""

_NAMES = (
    "tier", "family", "kind", "level", "chain", "control", "recipe", "reference", "instance", "reading", "scalar",
    "class", "mask", "model", "covariate", "spectrum",
)  # fmt: skip
"""Text, also where it looks like a number (a level, a recipe called `1`)."""


def read_priority(path: str | Path) -> pd.DataFrame:
    """Read priority.csv; names and levels are text, `chain` and `control` None where there is none."""
    return _with_names(read_csv(path, PRIORITY))


def read_complexity(path: str | Path) -> pd.DataFrame:
    """Read complexity.csv, of one tier or of all; names and levels are text."""
    return _with_names(read_csv(path, COMPLEXITY))


def read_learning(path: str | Path) -> pd.DataFrame:
    """Read learning.csv; names are text."""
    return _with_names(read_csv(path, ["tier", "recipe", "seed", *HISTORY]))


def read_contrasts(path: str | Path) -> pd.DataFrame:
    """Read contrasts.csv; names and levels are text, `instance` None for scalars of learning."""
    return _with_names(read_csv(path, CONTRASTS))


def read_mixed(path: str | Path) -> pd.DataFrame:
    """Read mixed.csv; names are text."""
    return _with_names(read_csv(path, MIXED))


def read_adjusted(path: str | Path) -> pd.DataFrame:
    """Read adjusted.csv; names are text."""
    return _with_names(read_csv(path, ADJUSTED))


def read_alignment(path: str | Path) -> pd.DataFrame:
    """Read alignment.csv; names and levels are text."""
    return _with_names(read_csv(path, ALIGNMENT))


def read_tier_alignment(path: str | Path) -> pd.DataFrame:
    """Read tier_alignment.csv; names are text."""
    return _with_names(read_csv(path, TIER_ALIGNMENT))


def read_class_learning(path: str | Path) -> pd.DataFrame:
    """Read class_learning.csv; names and levels are text, `control` None where there is none, `learned` a bool."""
    table = _with_names(read_csv(path, CLASS_LEARNING, text=["class"]))
    table["learned"] = table["learned"].astype(str).str.lower() == "true"
    return table


def read_class_learning_summary(path: str | Path) -> pd.DataFrame:
    """Read class_learning_summary.csv; names and levels are text, `tier` None for all tiers of a recipe."""
    return _with_names(read_csv(path, CLASS_LEARNING_SUMMARY, text=["class"]))


def read_class_curves(path: str | Path) -> pd.DataFrame:
    """Read class_curves.csv; names are text."""
    return _with_names(read_csv(path, CLASS_CURVES, text=["class"]))


def read_over_training(path: str | Path) -> pd.DataFrame:
    """Read over_training.csv; names are text, `of` is empty where a variable is one curve."""
    table = _with_names(read_csv(path, OVER_TRAINING, text=["of"]))
    return table.assign(of=table["of"].fillna(""))


def read_shortcuts(path: str | Path) -> pd.DataFrame:
    """Read shortcuts.csv; names are text, truth values are true or false."""
    return _with_truths(_with_names(read_csv(path, SHORTCUTS)), "headline", "shortcut")


def read_shortcuts_summary(path: str | Path) -> pd.DataFrame:
    """Read shortcuts_summary.csv; names are text, truth values are true or false."""
    return _with_truths(_with_names(read_csv(path, SHORTCUTS_SUMMARY)), "headline")


def with_words(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the table with a column of truth values written as `true` and `false`.

    >>> with_words(pd.DataFrame({"held": [True, False]}), "held")["held"].tolist()
    ['true', 'false']
    """
    return frame.assign(**{column: frame[column].map({True: "true", False: "false"})})


def _with_truths(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    return frame.assign(**{name: frame[name].astype(str).str.lower() == "true" for name in columns})


def _with_names(frame: pd.DataFrame) -> pd.DataFrame:
    for name in set(_NAMES) & set(frame.columns):
        frame[name] = frame[name].map(_text).astype(object)
    return frame


def _text(value: object) -> str | None:
    if pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():  # whole numbers in a column that also has gaps
        return str(int(value))
    return str(value)
