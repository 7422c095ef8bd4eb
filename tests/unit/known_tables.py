"""Rows of priority.csv and complexity.csv whose truth is known, for the tests of the statistics."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from spectral_priority.config import Study, parse_study
from spectral_priority.statistics.tables import COMPLEXITY, PRIORITY


def study(**more) -> Study:
    """A study with a regroup and a similarity family, and a control."""
    shapes = {"dataset": "shapes", "label": "texture"}
    return parse_study(
        {
            "study": "simulated",
            "datasets": {"shapes": {"source": {"kind": "shapes-textures"}, "size": 16}},
            "tiers": {
                "regroup": {"kind": "regroup", **shapes, "classes": 32, "groups": [2, 4, 8, 16]},
                "similar": {"kind": "similarity", **shapes, "classes": 4, "levels": ["near", "mid", "far"]},
                "control": {"kind": "control", "of": "regroup-2-d0"},
            },
            **more,
        }
    )


def runs_of(
    tier: str,
    values: list[float],
    *,
    kind: str = "regroup",
    control: str | None = None,
    chain: str | None = None,
    **more,
) -> pd.DataFrame:
    """Rows of priority.csv for one tier `<family>-<level>-d<draw>`, a seed per value; NaN: never reached."""
    family, level, draw = tier.rsplit("-", 2)
    rows = []
    for seed, value in enumerate(values):
        row = {
            "tier": tier,
            "family": family,
            "kind": kind,
            "level": level,
            "draw": int(draw[1:]),
            "chain": chain,
            "control": control,
            "recipe": "base",
            "seed": seed,
            "instance": "gradient",
            "reading": "matched-loss",
            "fraction": 0.5,
            "scalar": "centroid",
            "value": value,
            "standard_error": 0.01,
            "untrained": 4.0,
            "unit": "cycles/image",
            "n": 100,
            "reached": bool(np.isfinite(value)),
        }
        rows.append({**row, **more})
    return pd.DataFrame(rows, columns=list(PRIORITY))


def complexity_of(values: dict[str, float], measure: str = "log2_classes", unit: str = "bit") -> pd.DataFrame:
    """Rows of complexity.csv: a value per tier."""
    rows = []
    for tier, value in values.items():
        family, level, draw = tier.rsplit("-", 2)
        row = {"tier": tier, "family": family, "level": level, "draw": int(draw[1:]), "measure": measure}
        rows.append({**row, "value": value, "n": 1, "unit": unit, "harder": "higher"})
    return pd.DataFrame(rows, columns=list(COMPLEXITY))


def family(
    slope: float,
    *,
    draws: int = 2,
    seeds: int = 2,
    noise: float = 0.0,
    seed: int = 0,
    name: str = "regroup",
    measure: str = "log2_classes",
    levels: tuple[int, ...] = (1, 2, 3, 4, 5),
    **more,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A family whose centroid is 6 + slope · level, with independent noise of every draw and every seed."""
    generator = np.random.default_rng(seed)
    tables, complexity = [], {}
    for level, draw in product(levels, range(draws)):
        tier = f"{name}-{2**level}-d{draw}"
        mean = 6 + slope * level + noise * generator.normal()
        tables.append(runs_of(tier, (mean + noise * generator.normal(size=seeds)).tolist(), **more))
        complexity[tier] = level
    return pd.concat(tables, ignore_index=True), complexity_of(complexity, measure)
