"""Let the same command go on after a Snakemake was killed: clear away what dead processes left in `.snakemake`.

Snakemake's locks name no owner, so each main process of a study leaves a note (host, process, start time) beside them.
Only when every noted process ran on this host and is dead, locks are removed, and so are the outputs of the jobs that
were running, as `--rerun-incomplete` would do it; otherwise nothing is touched.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import socket
from pathlib import Path

import psutil


def clear_after_dead(folder: Path) -> bool:
    """Clear away what dead Snakemakes left, and note this process as an owner until it ends.

    Parameters
    ----------
    folder : path
        The working directory of Snakemake, which holds `.snakemake`.

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
        dead = [path for path, note in notes.items() if _is_dead(note)]
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
        mine = owners / f"{socket.gethostname()}-{os.getpid()}.json"
        mine.write_text(json.dumps(_note(os.getpid())))
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
