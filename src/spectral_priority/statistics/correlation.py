"""Correlation of priority with complexity: a row per family × quantity × complexity measure (METHODS 9).

Points are draws (draws.py); controls never enter. hypotheses.py says what each row was meant for and corrects its p.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..config.statistics import Statistics
from .bootstrap import FEWEST_RESAMPLED, bootstrap_slopes
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
    """One row per quantity; those with the same runs are computed together."""
    together: dict[tuple, list[int]] = {}
    for number, quantity in enumerate(quantities):
        runs = tuple(quantity.runs.index) if len(quantity.runs) else ()
        together.setdefault(tuple(run for run in runs if run[0] in x.index), []).append(number)
    rows: dict[int, dict] = {}
    for runs, numbers in together.items():
        draws = tuple(dict.fromkeys(tier for tier, _ in runs))
        points, where = x.reindex(draws), tiers.reindex(draws)
        y = np.stack([quantities[number].means.reindex(draws).to_numpy(float) for number in numbers], axis=1)
        shared = _notes_of_draws(points, where, len(tiers) - len(x))
        columns: dict[str, object] = {}
        if points.nunique() > 1:
            columns = _numbers(points.to_numpy(float), y, where["chain"].tolist(), settings)
            if len(draws) >= FEWEST_RESAMPLED and where["chain"].isna().all():
                columns |= _bootstrap(points, runs, [quantities[number] for number in numbers], settings)
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
    lines = least_squares(x, y, settings.confidence, chain if _nested(x, chain) else None)
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


def _bootstrap(
    points: pd.Series, runs: tuple, quantities: list[DrawMeans], settings: Statistics
) -> dict[str, object]:
    """Bootstrap intervals of all quantities: they have the same runs."""
    seeds = sorted({seed for _, seed in runs})
    values = np.full((len(points), len(seeds), len(quantities)), np.nan)
    draw = points.index.get_indexer([tier for tier, _ in runs])
    place = [seeds.index(seed) for _, seed in runs]
    for column, quantity in enumerate(quantities):
        values[draw, place, column] = quantity.runs.loc[list(runs)].to_numpy(float)
    lower, upper = bootstrap_slopes(
        points.to_numpy(float), values, settings.resamples, settings.seed, settings.confidence
    )
    return {"bootstrap_lower": lower, "bootstrap_upper": upper}


def _nested(x: np.ndarray, chain: list) -> bool:
    """Are draws nested in several chains, each with levels to compare?"""
    chains = {own: {level for level, other in zip(x, chain, strict=True) if other == own} for own in chain}
    return None not in chains and len(chains) > 1 and any(len(levels) > 1 for levels in chains.values())


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
        nested = _nested(x.to_numpy(float), tiers["chain"].tolist())
        notes.append(
            "draws are nested: slope, interval and permutations within chains"
            if nested
            else "ranks permuted within chains; the t interval takes draws as independent"
        )
    return notes
