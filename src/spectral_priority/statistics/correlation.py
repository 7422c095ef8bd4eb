"""Correlation of priority with complexity: a row per family × quantity × complexity measure (METHODS 9).

Points are draws (draws.py); controls never enter. hypotheses.py says what each row was meant for and corrects its p.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..config.statistics import Statistics
from .draws import DrawMeans, draw_means
from .least_squares import FEWEST_DRAWS, least_squares
from .permutation import rank_correlations
from .tables import CORRELATIONS


def correlate(priority: pd.DataFrame, complexity: pd.DataFrame, settings: Statistics) -> pd.DataFrame:
    """Correlate every quantity of a family with every complexity measure that differs between its draws.

    Parameters
    ----------
    priority, complexity : DataFrame
        priority.csv and complexity.csv as tables.py reads them.
    settings : Statistics
        Confidence of the intervals; number and seed of permutations.

    Returns
    -------
    DataFrame
        correlations.csv, but for `hypothesis`, `p_adjusted` and `correction`. Where a number is missing, `note` says
        why. A measure with one value for all draws of a family has no row.
    """
    rows: list[dict] = []
    tasks = priority[(priority["kind"] != "control") & priority["control"].isna()]
    for family, runs in tasks.groupby("family", sort=False):
        tiers = runs.drop_duplicates("tier").set_index("tier")[["level", "chain"]]
        quantities = draw_means(runs)
        for measure, values in complexity[complexity["tier"].isin(tiers.index)].groupby(
            "measure", sort=False
        ):
            x = values.set_index("tier")["value"].dropna()
            if x.nunique() > 1:
                common = {"family": family, "complexity": measure, "confidence": settings.confidence}
                for row in _rows(x, quantities, tiers, settings):
                    scalar_unit = row.pop("scalar_unit")
                    unit = slope_unit(scalar_unit, measure, values["unit"].iloc[0])
                    rows.append({**common, **row, "unit": unit})
    return pd.DataFrame(rows, columns=list(CORRELATIONS)).astype({"draws_needed": "Int64"})


def slope_unit(scalar_unit: str, measure: str, complexity_unit: str) -> str:
    """Return the unit of a slope in words.

    >>> slope_unit("cycles/image", "log2_classes", "bit"), slope_unit("1", "n3", "1")
    ('cycles/image per doubling of classes', '1 per unit of n3')
    """
    if measure == "log2_classes":
        return f"{scalar_unit} per doubling of classes"
    plain = pd.isna(complexity_unit) or complexity_unit in ("", "1")
    return f"{scalar_unit} per {f'unit of {measure}' if plain else complexity_unit}"


def _rows(x: pd.Series, quantities: list[DrawMeans], tiers: pd.DataFrame, settings: Statistics) -> list[dict]:
    """One row per quantity; those with the same draws are computed together."""
    together: dict[tuple[str, ...], list[int]] = {}
    for number, quantity in enumerate(quantities):
        together.setdefault(tuple(t for t in quantity.means.index if t in x.index), []).append(number)
    rows: dict[int, dict] = {}
    for draws, numbers in together.items():
        points, where = x.reindex(draws), tiers.reindex(draws)
        y = np.stack([quantities[number].means.reindex(draws).to_numpy(float) for number in numbers], axis=1)
        shared = _notes_of_draws(points, where, len(tiers) - len(x))
        columns: Mapping[str, object] = {}
        if points.nunique() > 1:
            columns = _numbers(points.to_numpy(float), y, where["chain"].tolist(), settings)
        few = 0 < len(draws) < FEWEST_DRAWS
        for column, number in enumerate(numbers):
            quantity = quantities[number]
            constant = len(draws) > 1 and np.ptp(y[:, column]) == 0
            rows[number] = {
                **quantity.quantity,
                "scalar_unit": quantity.unit,
                "draws": len(draws),
                "levels": where["level"].nunique(),
                "draws_needed": FEWEST_DRAWS if few else None,
                **{
                    name: value if isinstance(value, str) else value[column]
                    for name, value in columns.items()
                },
                "note": "; ".join(
                    [*quantity.notes, *shared, *(["all draws have the same value"] if constant else [])]
                ),
            }
    return [rows[number] for number in range(len(quantities))]


def _numbers(x: np.ndarray, y: np.ndarray, chain: list, settings: Statistics) -> dict[str, object]:
    """Columns of correlations.csv for draws × quantities: an array (quantity,) each, or one text for all."""
    lines = least_squares(x, y, settings.confidence)
    ranks = rank_correlations(x, y, chain, settings.permutations, settings.seed)
    found: dict[str, object] = {
        "slope": lines.slope,
        "standard_error": lines.standard_error,
        "lower": lines.lower,
        "upper": lines.upper,
        "r2": lines.r2,
        "p_t": lines.p,
        "spearman": ranks.spearman,
        "kendall": ranks.kendall,
        "detectable_slope": lines.detectable,
    }
    if len(x) >= FEWEST_DRAWS:
        found |= {
            "p_spearman": ranks.p_spearman,
            "p_kendall": ranks.p_kendall,
            "permutation": ranks.method,
        }
    return found


def _notes_of_draws(x: pd.Series, tiers: pd.DataFrame, unknown: int) -> list[str]:
    """What must be known about the draws of a row to read its numbers."""
    notes = []
    if unknown:
        notes.append(f"left out, complexity unknown: {unknown} draws")
    if 0 < len(x) < FEWEST_DRAWS:
        notes.append(f"too few draws: {len(x)}; at least {FEWEST_DRAWS}")
    if len(x) and x.nunique() < 2:
        notes.append("the draws that are left have the same complexity")
    elif len(x) >= FEWEST_DRAWS and tiers["chain"].notna().any():
        notes.append("ranks permuted within chains; the t interval takes draws as independent")
    return notes
