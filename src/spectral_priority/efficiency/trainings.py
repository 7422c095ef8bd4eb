"""How many attempts the finished trainings took, and how many steps were made twice, from their run.json."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..config.study import Study
from ..errors import InputError
from ..store.atomic import read_json


@dataclass(frozen=True)
class Trainings:
    """All finished trainings of a study.

    Attributes
    ----------
    runs : int
    ends : dict
        How attempts ended (`finished`, `stopped` with their state saved, `killed`) → how many did.
    hours : float
        Of all attempts; what a killed one did after it last saved is not known.
    steps, steps_made : int
        Optimiser steps that the runs have, and that were made for them.
    """

    runs: int
    ends: dict[str, int]
    hours: float
    steps: int
    steps_made: int


def read_trainings(study: Study, results: Path) -> Trainings:
    """Read the run.json of every finished run."""
    ends: Counter[str] = Counter()
    runs = steps = made = 0
    seconds = 0.0
    for run in study.list_runs():
        path = results / study.study / "runs" / run.tier / run.recipe / f"seed{run.seed}" / "run.json"
        try:
            facts = read_json(path)
        except InputError:
            continue  # not finished
        runs += 1
        ends.update(attempt.get("end", "killed") for attempt in facts["attempts"])
        seconds += facts["seconds"]
        steps += facts["steps"]
        made += facts["optimizer_steps_run"]
    return Trainings(runs, dict(ends.most_common()), seconds / 3600, steps, made)


def in_words(found: Trainings) -> str:
    """Say it in a line.

    >>> in_words(Trainings(2, {"finished": 2, "stopped": 1}, 3.5, 2000, 2000))
    'trainings: 2 finished in 3 attempts (2 finished, 1 stopped), 3.50 hours; 2,000 steps made for 2,000'
    """
    ends = ", ".join(f"{count} {end}" for end, count in found.ends.items())
    return (
        f"trainings: {found.runs} finished in {sum(found.ends.values())} attempts ({ends}), {found.hours:,.2f} hours; "
        f"{found.steps_made:,} steps made for {found.steps:,}"
    )
