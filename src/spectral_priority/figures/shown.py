"""What of a study figures and the report show: its primary recipes and instance, families, levels, and the reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..config import Study
from ..config.instances import of_measure
from ..statistics.draws import MOST_UNREACHED

if TYPE_CHECKING:
    from .tables import Tables

PRIMARY_MEASURE = {
    "regroup": "log2_classes",
    "count": "log2_classes",
    "similarity": "hierarchy_similarity",
    "labels": None,
}
"""Kind of family → complexity measure that it varies; None: levels have names only."""


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
