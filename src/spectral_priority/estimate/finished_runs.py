"""What the finished runs of a study tell of those to come: speed, seconds of measures, bytes of their results."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import NamedTuple

from ..config.study import Run, Study
from ..store.atomic import read_json


class Measured(NamedTuple):
    """One instance on runs of one recipe: seconds of its slowest job, bytes of its largest file."""

    seconds: float
    bytes: int


def training_speeds(study: Study, results: Path) -> dict[str, float]:
    """Return images per second of the slowest finished run of every recipe.

    Parameters
    ----------
    study : Study
    results : path
        The folder `results`.

    Returns
    -------
    dict
        Recipe → images per second; recipes without a finished run are left out.
    """
    found: dict[str, float] = {}
    for run in study.list_runs():
        path = results / study.study / "runs" / _place(run) / "run.json"
        if path.exists():
            speed = float(read_json(path)["images_per_second"])
            found[run.recipe] = min(found.get(run.recipe, math.inf), speed)
    return found


def finished_measures(study: Study, results: Path) -> dict[tuple[str, str], Measured]:
    """Return what the finished measures took, by recipe and instance.

    Seconds are those of whole jobs, as Snakemake wrote them down: start-up is among them. A job that found its result
    kept took no time, so the slowest counts.

    Parameters
    ----------
    study : Study
    results : path
        The folder `results`.

    Returns
    -------
    dict
        (recipe, instance) → Measured; those without a finished job are left out.
    """
    found: dict[tuple[str, str], Measured] = {}
    for run in study.list_runs():
        for instance in study.measures:
            times = (
                results / "benchmarks" / study.study / "runs" / _place(run) / "spectra" / f"{instance}.tsv"
            )
            file = results / study.study / "runs" / _place(run) / "spectra" / f"{instance}.h5"
            seconds = _seconds(times)
            if seconds is not None and file.exists():
                before = found.get((run.recipe, instance), Measured(0.0, 0))
                size = file.stat().st_size
                found[run.recipe, instance] = Measured(max(before.seconds, seconds), max(before.bytes, size))
    return found


def _place(run: Run) -> Path:
    return Path(run.tier, run.recipe, f"seed{run.seed}")


def _seconds(times: Path) -> float | None:
    """Seconds in a benchmark file of Snakemake; None where there is none, or none was measured."""
    try:
        with times.open(encoding="utf-8", newline="") as file:
            return max((float(line["s"]) for line in csv.DictReader(file, delimiter="\t")), default=None)
    except (OSError, KeyError, ValueError):
        return None
