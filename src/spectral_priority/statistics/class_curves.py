"""The scores of every class over training, of all runs of a study as one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..config.study import Run, Study
from ..errors import InputError
from ..store.tables import read_csv
from .runs import OneCode, code_of, read_run, read_tier
from .tables import CLASS_CURVES


def class_curves(
    study: Study, results: Path, track: Callable[[list[Run]], Iterable[Run]] = lambda runs: runs
) -> pd.DataFrame:
    """Read class_history.csv of every run of a study.

    Parameters
    ----------
    study : Study
    results : path
        The folder results/.
    track : callable
        Shows progress over the runs.

    Returns
    -------
    DataFrame
        The columns CLASS_CURVES: the rows of each run's file behind its tier, recipe and seed.

    Raises
    ------
    InputError
        By file name: missing, damaged, foreign, or a mixture of trainings or code; other steps than history.csv has.
    """
    tiers = {tier.name: read_tier(study, results, tier.name) for tier in study.list_tiers()}
    codes, parts = OneCode(), []
    for run in track(study.list_runs()):
        files = read_run(study, results, run, tiers[run.tier])
        codes.check("runs", files.folder / "run.json", code_of(files.folder / "run.json", files.facts))
        path = files.folder / "class_history.csv"
        columns = list(CLASS_CURVES[len(run) :])
        curves = read_csv(path, columns, text=["class"])[columns]
        steps = curves["step"].unique()
        if not np.array_equal(steps, files.history["step"]):
            raise InputError(path, "has other steps than history.csv beside it", "the steps of one training")
        for place, (name, value) in enumerate(run._asdict().items()):
            curves.insert(place, name, value)
        parts.append(curves)
    return pd.concat(parts, ignore_index=True)
