"""What a training saved of itself, read from the header of its state: no tensor is touched, no torch imported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..training.work_folder import PREVIOUS, STATE


@dataclass(frozen=True)
class Saved:
    """How far a training was when it last saved its state.

    Attributes
    ----------
    step : int
        Optimiser steps made.
    step_seconds : float
        Time that they took.
    steps_per_epoch : float or None
        None before the first checkpoint behind step 0.
    at : float
        When it was saved, in seconds since 1970.
    """

    step: int
    step_seconds: float
    steps_per_epoch: float | None
    at: float


def saved_progress(work: Path) -> Saved | None:
    """Return what the newest whole state in a work folder says; None where there is none.

    A state can be replaced while one looks: the one before it is then read.
    """
    from safetensors import SafetensorError, safe_open

    for name in (STATE, PREVIOUS):
        path = work / name
        try:
            at = path.stat().st_mtime
            with safe_open(path, framework="numpy") as file:
                progress = json.loads((file.metadata() or {})["progress"])
            later = [row for row in progress["history"] if row["epoch"] > 0]
            return Saved(
                int(progress["step"]),
                float(progress["step_seconds"]),
                later[-1]["step"] / later[-1]["epoch"] if later else None,
                at,
            )
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            continue
    return None
