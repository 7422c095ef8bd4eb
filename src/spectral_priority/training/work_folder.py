"""What lies in a training's work folder until it is finished, and how it is cleared away. Imports no torch."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..store.atomic import remove_partials

STATE, PREVIOUS, UNUSABLE = "state.safetensors", "state.previous.safetensors", "state.unusable.safetensors"
PARTS, SET_ASIDE, ATTEMPTS = "parts", "set-aside", "attempts.jsonl"


def clear(work: Path) -> None:
    """Remove what a training no longer needs when it is finished and kept."""
    for name in (STATE, PREVIOUS, UNUSABLE, ATTEMPTS):
        (work / name).unlink(missing_ok=True)
    for name in (PARTS, SET_ASIDE):
        shutil.rmtree(work / name, ignore_errors=True)
    remove_partials(work / STATE)


def clear_after(work: Path, fingerprint: str) -> None:
    """Remove what a finished training left that was killed before it had cleared up; another run's state stays.

    Parameters
    ----------
    work : path
    fingerprint : str
        Of the finished training.
    """
    states = [work / name for name in (STATE, PREVIOUS) if (work / name).exists()]
    if all(_fingerprint(state) == fingerprint for state in states):
        clear(work)


def _fingerprint(state: Path) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(state, framework="numpy") as file:
            return (file.metadata() or {}).get("fingerprint")
    except (SafetensorError, OSError):
        return None
