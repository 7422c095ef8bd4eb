"""Let the same command go on after a Snakemake was killed: clear away what dead processes left in `.snakemake`.

Snakemake's locks name no owner, so each main process of a study leaves a note (host, process, start time) beside them.
Only when every noted process ran on this host and is dead, locks are removed, and so are the outputs of the jobs that
were running, as `--rerun-incomplete` would do it; otherwise nothing is touched. Whoever gives `--unlock` says that all
are dead, on other hosts too.

Jobs on a cluster outlive their Snakemake. One that still waits in the queue when its Snakemake's note is gone refuses
to begin (`is_taken_over`). What one finished alone is removed as well (`made_alone`).
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import socket
from pathlib import Path

import psutil

UNDECLARED = ("state", "logs", "benchmarks", "damaged")
"""Folders of results/ that hold no output of a rule."""


def clear_after_dead(folder: Path, all_dead: bool = False) -> bool:
    """Clear away what dead Snakemakes left, and note this process as an owner until it ends.

    Parameters
    ----------
    folder : path
        The working directory of Snakemake, which holds `.snakemake`.
    all_dead : bool
        Whether the user says so (`--unlock`); otherwise a process on another host counts as alive.

    Returns
    -------
    bool
        Whether there was something to clear away.
    """
    state = folder / ".snakemake"
    owners = state / "owners"
    try:
        owners.mkdir(parents=True, exist_ok=True)
        notes = {path: _read(path) for path in owners.glob("*.json")}
        dead = [path for path, note in notes.items() if all_dead or _is_dead(note)]
        cleared = False
        if dead and len(dead) == len(notes):
            for lock in (state / "locks").glob("*"):
                lock.unlink(missing_ok=True)
                cleared = True
            for marker in [path for path in (state / "incomplete").rglob("*") if path.is_file()]:
                output = _marked(marker.relative_to(state / "incomplete"))
                if output is not None:
                    (folder / output).unlink(missing_ok=True)
                    marker.unlink(missing_ok=True)
                    cleared = True
        for path in dead:
            path.unlink(missing_ok=True)
        mine = _path(folder, note := _note(os.getpid()))
        mine.write_text(json.dumps(note))
    except OSError:
        return False  # a read-only folder: Snakemake says so itself, and better
    atexit.register(_forget, state, mine)
    return cleared


def _forget(state: Path, mine: Path) -> None:
    """Remove this process's note at its end; left where jobs were interrupted (Ctrl-C), for the next start to clear."""
    if not any(path.is_file() for path in (state / "incomplete").rglob("*")):
        mine.unlink(missing_ok=True)


def is_alone(folder: Path) -> bool:
    """Tell whether this process is the only noted Snakemake of a folder."""
    return len(list((folder / ".snakemake" / "owners").glob("*.json"))) <= 1


def own_note(folder: Path) -> dict | None:
    """Return this process's note, for its jobs to look after; None where it could not be written."""
    path = _path(folder, note := _note(os.getpid()))
    return note if path.exists() else None


def is_taken_over(folder: Path, note: dict) -> bool:
    """Tell a job whether the Snakemake that submitted it has ended, or was found dead by another one.

    Parameters
    ----------
    folder : path
        The working directory of Snakemake.
    note : dict
        What `own_note` gave that Snakemake.
    """
    try:
        return _read(_path(folder, note)) != note
    except FileNotFoundError:
        return True


def _path(folder: Path, note: dict) -> Path:
    return folder / ".snakemake" / "owners" / f"{note['host']}-{note['pid']}.json"


def dead_since(folder: Path, all_dead: bool = False) -> float | None:
    """Return when the oldest of the noted Snakemakes began, where all are dead; None otherwise. Ask before clearing."""
    notes = [_read(path) for path in (folder / ".snakemake" / "owners").glob("*.json")]
    if not notes or not all(all_dead or _is_dead(note) for note in notes):
        return None
    return min(note.get("started", 0.0) for note in notes)


def made_alone(folder: Path, since: float) -> list[Path]:
    """Return the files below results/ that are younger than a time, and of which Snakemake has recorded nothing.

    A cluster job made them after its Snakemake was killed, or a person. Snakemake would take them for up to date for
    ever, whatever is edited later, as it does not know what they were made with.

    Parameters
    ----------
    folder : path
        The working directory of Snakemake.
    since : float
        From `dead_since`.
    """
    records = folder / ".snakemake" / "metadata"
    known = {_marked(path.relative_to(records)) for path in records.rglob("*") if path.is_file()}
    found = [
        path.relative_to(folder)
        for path in (folder / "results").rglob("*")
        if path.is_file() and path.stat().st_mtime >= since
    ]
    return sorted({path for path in found if path.parts[1] not in UNDECLARED} - known)


def _marked(marker: Path) -> Path | None:
    """The output that a marker of Snakemake's stands for: its path in base64, cut into folders that start with @."""
    try:
        output = Path(
            base64.urlsafe_b64decode("".join(part.removeprefix("@") for part in marker.parts)).decode()
        )
    except ValueError:
        return None
    return output if output.parts[:1] == ("results",) and ".." not in output.parts else None


def _note(pid: int) -> dict:
    return {"host": socket.gethostname(), "pid": pid, "started": psutil.Process(pid).create_time()}


def _read(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except ValueError:  # killed while writing it
        return {}


def _is_dead(note: dict) -> bool:
    """A process on another host can't be seen from here, so it counts as alive; an unfinished note is dead."""
    if not note:
        return True
    if note["host"] != socket.gethostname():
        return False
    try:
        process = psutil.Process(note["pid"])
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - note["started"]) > 1
    except psutil.NoSuchProcess:
        return True
