"""What stands beside the correlations in the report: mixed models, slopes with a covariate held, spectra of tiers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..figures.shown import reading_name
from ..figures.tables import Tables
from .answer import number

COVARIATE_NAMES = {
    "validation_accuracy": "validation accuracy",
    "loss_fraction": "loss ÷ label entropy",
    "psd_slope": "image PSD slope",
    "psd_centroid": "image PSD centroid",
}
"""Covariates of adjusted.csv as people read them."""
SPECTRUM_NAMES = {
    "image-psd": "images",
    "class-mean-psd": "class means",
    "pinson": "class means, after Pinson",
}
"""Spectra of tier_alignment.csv as people read them."""


def mixed_rows(tables: Tables) -> list[list[str]]:
    """Return the cells of mixed.csv, a row per primary or robustness row of correlations.csv."""
    if tables.mixed is None:
        return []
    return [
        [
            row["hypothesis"],
            _text(row["family"]),
            reading_name(row["reading"], row["fraction"]),
            _text(row["model"]) or "–",
            f"{number(row['runs'], 0)} / {number(row['draws'], 0)} / {number(row['chains'], 0)}",
            number(row["slope"], 3),
            _interval(row, ""),
            *(number(row[f"{part}_sd"], 3) for part in ("chain", "draw", "seed")),
            _text(row["note"]),
        ]
        for _, row in tables.mixed.iterrows()
    ]


def adjusted_rows(tables: Tables) -> list[list[str]]:
    """Return the cells of adjusted.csv, a row per primary hypothesis × reading × covariate."""
    if tables.adjusted is None:
        return []
    return [
        [
            row["hypothesis"],
            _text(row["family"]),
            reading_name(row["reading"], row["fraction"]),
            number(row["draws"], 0),
            f"{number(row['slope'], 3)} ({_interval(row, '')})",
            COVARIATE_NAMES.get(row["covariate"], row["covariate"]),
            f"{number(row['adjusted_slope'], 3)} ({_interval(row, 'adjusted_')})",
            number(row["correlation"]),
            _text(row["note"]),
        ]
        for _, row in tables.adjusted.iterrows()
    ]


def tier_alignment_rows(tables: Tables) -> list[list[str]]:
    """Return the cells of tier_alignment.csv, a row per family × recipe × instance × kind of spectrum."""
    if tables.tier_alignment is None:
        return []
    return [
        [
            row["family"],
            f"{row['recipe']}, {row['instance']}",
            SPECTRUM_NAMES[row["spectrum"]],
            number(row["tiers"], 0),
            *(
                number(row[name], 3)
                for name in ("overlap", "overlap_exchanged", "distance", "distance_exchanged")
            ),
            *(
                f"{row[p]:.2g}" if np.isfinite(row[p]) else "–"
                for p in ("p_overlap", "p_distance", "p_adjusted")
            ),
            _text(row["note"]),
        ]
        for _, row in tables.tier_alignment.iterrows()
    ]


def _interval(row: pd.Series, of: str) -> str:
    lower, upper = row[f"{of}lower"], row[f"{of}upper"]
    return f"{number(lower, 3)} to {number(upper, 3)}" if np.isfinite(lower) else "–"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
