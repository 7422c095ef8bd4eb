"""The state of each run of a study: done, running, interrupted, failed or not started."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..config import Run, Study
from ..errors import InputError
from ..store.atomic import read_json
from ..training.finished import RUN
from ..training.lock import Seen, last_seen
from .saved import Saved, saved_progress

STATES = ("failed", "running", "interrupted", "not started", "done")
"""In the order of the table: what asks for attention comes first."""

TOLD = re.compile(r"^\d\d:\d\d:\d\d ")
ERROR = re.compile(r"^\d\d:\d\d:\d\d (?:error|defect): (.*)$")
"""How programs begin a line of their log, and one that says why they ended."""


@dataclass(frozen=True)
class RunState:
    """What is known of one run.

    Attributes
    ----------
    run : Run
    state : str
        One of `STATES`.
    step, steps : int
        Optimiser steps that are saved, and of the whole run.
    epoch, epochs : float or None
        The same in epochs, once that is known.
    images_per_second : float or None
    seconds_left : float or None
        Of training, counted from now; None where no speed is known yet.
    holder : str
        Who works on it, for a running one.
    error : str
        The last line of the log, for a failed one.
    measured, measures : int
        Measures that are there, of those that the study asks for.
    measure_errors : dict
        Measure → the last line of its log, where that is an error and there is no result.
    """

    run: Run
    state: str
    step: int = 0
    steps: int = 0
    epoch: float | None = None
    epochs: float | None = None
    images_per_second: float | None = None
    seconds_left: float | None = None
    holder: str = ""
    error: str = ""
    measured: int = 0
    measures: int = 0
    measure_errors: dict[str, str] = field(default_factory=dict)


def run_states(study: Study, results: Path, now: datetime | None = None) -> list[RunState]:
    """Look at every run of a study.

    Parameters
    ----------
    study : Study
    results : path
        The folder results/.
    now : datetime, optional
        The present time.

    Returns
    -------
    list of RunState
        By state in the order of `STATES`, within one in the order of the study.
    """
    seconds = (now or datetime.now()).timestamp()
    found = [_look(study, results, run, seconds) for run in study.list_runs()]
    return sorted(found, key=lambda one: STATES.index(one.state))


def last_error(log: Path) -> str:
    """Return why a program ended, by its log; empty where the last that it said is no error.

    Lines of an earlier attempt stay in a log, so only the last line that a program wrote counts.
    """
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    said = next((line for line in reversed(lines) if TOLD.match(line)), "")
    error = ERROR.match(said)
    return error[1] if error else ""


def _look(study: Study, results: Path, run: Run, now: float) -> RunState:
    parts = (run.tier, run.recipe, f"seed{run.seed}")
    folder = results.joinpath(study.study, "runs", *parts)
    work = results.joinpath("state", study.study, *parts)
    logs = results.joinpath("logs", study.study, "runs", *parts)
    recipe = study.recipes[run.recipe]
    there = {name: (folder / "spectra" / f"{name}.h5").exists() for name in study.measures}
    errors = {
        name: error
        for name in study.measures
        if not there[name] and (error := last_error(logs / "spectra" / f"{name}.log"))
    }
    about: dict[str, Any] = {
        "steps": recipe.steps,
        "measured": sum(there.values()),
        "measures": len(there),
        "measure_errors": errors,
    }
    facts = _finished(folder / RUN)
    if facts is not None:
        return RunState(
            run,
            "done",
            step=facts["steps"],
            epoch=facts["epochs"],
            epochs=facts["epochs"],
            images_per_second=facts["images_per_second"],
            **{**about, "steps": facts["steps"]},
        )
    saved, seen = saved_progress(work), last_seen(work)
    running = seen is not None and not seen.abandoned
    if saved is not None:
        about |= _progress(saved, recipe.steps, recipe.batch_size, now if running else saved.at)
    if running:
        return RunState(run, "running", holder=_holder(seen), **about)
    log = logs / "train.log"
    error = last_error(log)
    if error and (saved is None or log.stat().st_mtime >= saved.at):
        return RunState(run, "failed", error=error, **about)
    begun = saved is not None or seen is not None or (work / "attempts.jsonl").exists()
    return RunState(run, "interrupted" if begun else "not started", **about)


def _finished(path: Path) -> dict[str, Any] | None:
    """run.json, which is the last file of a run to be published; None where it is not there or can't be read."""
    try:
        facts = read_json(path)
        return {name: facts[name] for name in ("steps", "epochs", "images_per_second")}
    except (InputError, KeyError, TypeError):
        return None


def _progress(saved: Saved, steps: int, batch_size: int, now: float) -> dict[str, Any]:
    per_step = saved.step_seconds / saved.step if saved.step else None
    return {
        "step": saved.step,
        "epoch": saved.step / saved.steps_per_epoch if saved.steps_per_epoch else None,
        "epochs": steps / saved.steps_per_epoch if saved.steps_per_epoch else None,
        "images_per_second": batch_size / per_step if per_step else None,
        # What was done since it was saved is not known, but the time is.
        "seconds_left": max(0.0, (steps - saved.step) * per_step - (now - saved.at)) if per_step else None,
    }


def _holder(seen: Seen) -> str:
    job = f", job {seen.holder['job']}" if seen.holder.get("job") else ""
    return f"process {seen.holder.get('pid', '?')} on {seen.holder.get('host', '?')}{job}"
