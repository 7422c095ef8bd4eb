"""One round: a study is begun, a fault befalls it, and the same command is given until it succeeds."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_faults import POLL, Kind, mend, mount, unmount
from same_results import differences, results_of
from tiny_study import begin, command, environment

MOST_STARTS = 5
JOBS = {"empty": 12, "half": 5, "whole": 0}
"""Jobs that a round has to run if nothing befalls it."""


@dataclass
class Round:
    """A round and how it ended.

    Attributes
    ----------
    kind : Kind
    start : str
    told : str
        What was done.
    codes : list of int
        Exit codes of the command, in order.
    aside : int
        Files that were put aside as damaged.
    faults : list of str
        What was wrong at the end; empty: nothing.
    seconds : float
    """

    kind: Kind
    start: str
    told: str = ""
    codes: list[int] = field(default_factory=list)
    aside: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0


def play(
    project: Path, whole: Path, folder: Path, kind: Kind, draw: random.Random, expected: dict[str, Any]
) -> Round:
    """Play a round in a folder of its own; what is left of it is removed where nothing is wrong."""
    began = time.monotonic()
    played = Round(kind, draw.choice(kind.starts))
    folder.mkdir(parents=True)
    if kind.disk:
        mount(folder / "results")
    try:
        begin(whole, folder, played.start)
        if kind.between or kind.disk == "full":
            played.told = kind.strike(folder, None, draw)
        _run(project, folder, played, None if played.told else kind, draw)
        if kind.disk:
            mend(folder / "results")
        while played.codes[-1] != 0 and len(played.codes) < MOST_STARTS:
            _run(project, folder, played, None, draw)
        log = (folder / "snakemake.log").read_text(errors="replace")
        played.aside = log.count("moved to results/damaged/")
        if played.codes[-1] != 0:
            played.faults.append(f"did not succeed in {MOST_STARTS} starts: {log[-1500:]}")
        else:
            played.faults += differences(expected, results_of(folder))
            left = [path.name for path in (folder / "results").rglob("*.partial*")]
            if left and kind.between:
                played.faults.append(f"left behind: {', '.join(left)}")
    except OSError as error:
        played.faults.append(f"{type(error).__name__}: {error}")
    finally:
        if kind.disk and not played.faults:
            unmount(folder / "results")
    if not played.faults:
        shutil.rmtree(folder)
    played.seconds = time.monotonic() - began
    return played


def _run(project: Path, folder: Path, played: Round, strikes: Kind | None, draw: random.Random) -> None:
    """Give the command; a fault that strikes during it does so after some of its jobs and a moment."""
    log = folder / "snakemake.log"
    before = log.read_bytes().count(b"Finished jobid") if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(
            command(project, folder),
            cwd=folder,
            env=environment(),
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            # A shell lets what it starts in the background ignore this signal, and so would all that follows.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    try:
        if strikes is not None:
            jobs, pause = draw.randrange(JOBS[played.start]), draw.uniform(0, 3)
            while process.poll() is None and log.read_bytes().count(b"Finished jobid") - before < jobs:
                time.sleep(POLL)
            end = time.monotonic() + pause
            while process.poll() is None and time.monotonic() < end:
                time.sleep(POLL)
            ended = process.poll() is not None
            played.told = "it had ended before" if ended else strikes.strike(folder, process, draw)
            played.told += f", after {jobs} jobs and {pause:.1f} s"
        played.codes.append(process.wait(timeout=900))
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
