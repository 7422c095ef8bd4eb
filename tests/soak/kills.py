"""A training that is killed and started again until it ends, and what must hold each time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from board import PHASES, PLACES, WITHIN, Board, new_board

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS / "unit"))
from tiny_training import OUTPUTS, RESULTS, write_data  # noqa: E402

LAUNCHER = Path(__file__).with_name("launcher.py")
OPTIONS = {
    "width": 4,
    "batch_size": 16,
    "checkpoints": {"early": [0, 3, 20], "every_epochs": 10},
    "evaluation_images": 30,
    "batch_norm_images": 20,
}
VARIANTS = {
    "sgd": {"steps": 1200},
    "adamw": {"steps": 1000, "optimizer": "adamw", "learning_rate": 1e-3, "augment": "flip-crop"},
    "ema": {
        "steps": 1000,
        "ema": 0.9,
        "schedule": "one-cycle",
        "label_smoothing": 0.1,
        "augment": "flip-crop",
        "label_noise": {"kind": "shuffled", "share": 0.3},
    },
    "triplet": {"steps": 800, "objective": "triplet", "embedding": 8},
    "dropout": {"steps": 100, "model": "mnasnet0_5", "learning_rate": 0.005},
    "measured": {"steps": 500, "measure_during_training": True},
}
"""Recipes; `small_cnn` with batch normalisation and SGD with momentum where they don't say otherwise."""
MEASURES = {"gradient": {"options": {}}}
SAVE_EVERY_SECONDS = 0.1
STOPPED = 75
POLL = 0.0005
"""Seconds between looks at the board."""


@dataclass(frozen=True)
class Kill:
    """A kill to make.

    Attributes
    ----------
    signal : Signals
        SIGKILL or SIGTERM.
    after : float
        Seconds after the process began or, with an aim and the place `within`, after that was reached.
    aim, place, occurrence
        See `Board`; aim None: at a time.
    """

    signal: signal.Signals
    after: float = 0.0
    aim: str | None = None
    place: str = WITHIN
    occurrence: int = 1


@dataclass
class Attempt:
    """One start of the program and how it ended.

    Attributes
    ----------
    kill : Kill or None
        What was to be done to it.
    hit : str or None
        Phase in which the signal came; None: it ended before.
    moved : str
        Key of `MOVED` that was being moved, if the phase is `rename`.
    code : int
        Exit code; −9 or −15 for death by a signal.
    catches : bool
        Whether SIGTERM was caught already.
    first, begun, made, saved : int
        See `Board`.
    seconds : float
    text : str
        What it printed.
    """

    kill: Kill | None
    hit: str | None
    moved: str
    code: int
    catches: bool
    first: int
    begun: int
    made: int
    saved: int
    seconds: float
    text: str

    @property
    def lost(self) -> int:
        """Steps that were begun after the last saved state, and that a kill took."""
        if not self.begun or self.code in (0, STOPPED):
            return 0
        return max(0, self.first + self.begun - max(self.saved, self.first))


def prepare(folder: Path) -> tuple[Path, Path]:
    """Write the data, and copy the library and its programs, so that an edit meanwhile changes nothing.

    Returns
    -------
    program, data : Path
        train.py of the copy, and the folder of the data.
    """
    code, data = folder / "code", folder / "data"
    for part in ("src", "workflow/scripts"):
        shutil.copytree(TESTS.parent / part, code / part, ignore=shutil.ignore_patterns("*.egg-info"))
    data.mkdir()
    write_data(data)
    return code / "workflow" / "scripts" / "train.py", data


@dataclass
class Training:
    """One training in a folder, by the program `train.py` with its real options.

    Attributes
    ----------
    program, data : Path
        From `prepare`.
    folder : Path
        Work folder, results and more; made by the first start.
    variant : mapping
        Options of the recipe besides `OPTIONS`.
    attempts : list of Attempt
    """

    program: Path
    data: Path
    folder: Path
    variant: Mapping[str, Any]
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def work(self) -> Path:
        """Folder of the resumable state."""
        return self.folder / "work"

    @property
    def results(self) -> Path:
        """Folder of the published files."""
        return self.folder / "results"

    def command(self) -> list[str]:
        """Return the command that is given again after each kill, without the interpreter."""
        options = json.dumps({**OPTIONS, **self.variant})
        words = [self.program, "--images", self.data / "images.h5", "--manifest", self.data / "tier.json"]
        words += ["--indices", self.data / "tier.npz", "--recipe", "base", "--options", options]
        words += ["--seed", "3", "--work", self.work, "--device", "cpu"]
        words += ["--save-every-seconds", SAVE_EVERY_SECONDS]
        if self.variant.get("measure_during_training"):
            words += ["--measures", json.dumps(MEASURES)]
        for name, file in zip(("checkpoints", "history", "class-history", "run"), OUTPUTS, strict=True):
            words += [f"--{name}", self.results / file]
        return [str(word) for word in words]

    def environment(self) -> dict[str, str]:
        """Return the environment of the program: the copied library, kept compiled."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "PYTHONPATH": str(self.program.parents[2] / "src")}

    def run_undisturbed(self) -> float:
        """Run the program by itself, without the launcher; return the seconds it took."""
        began = time.monotonic()
        words = [sys.executable, *self.command()]
        ended = subprocess.run(words, env=self.environment(), capture_output=True, text=True)
        if ended.returncode:
            raise RuntimeError(f"the training can't even be made undisturbed: {ended.stderr}")
        return time.monotonic() - began

    def start(self, kill: Kill | None = None) -> Attempt:
        """Give the command, kill it as told (if it lives so long), and wait for its end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, log = self.folder / "board", self.folder / "attempt.log"
        board = new_board(path)
        if kill is not None and kill.aim is not None:
            board.aim, board.place = kill.aim.encode(), PLACES.index(kill.place)
            board.occurrence, board.signal = kill.occurrence, kill.signal
        words = [sys.executable, str(LAUNCHER), str(path), *self.command()]
        began = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(words, env=self.environment(), stdout=output, stderr=output)
        hit, moved = (None, "") if kill is None else _kill(process, board, kill)
        code = process.wait()
        if code == -signal.SIGKILL:
            hit, moved = PHASES[board.phase], board.moved.decode()
        self.attempts.append(
            Attempt(
                kill=kill,
                hit=hit,
                moved=moved,
                code=code,
                catches=bool(board.catches),
                first=board.first,
                begun=board.begun,
                made=board.made,
                saved=board.saved,
                seconds=time.monotonic() - began,
                text=log.read_text(errors="replace"),
            )
        )
        return self.attempts[-1]

    def is_kept(self) -> bool:
        """Tell whether the finished run is kept, so that the next start has nothing to train."""
        return any(file.parent.suffix != ".partial" for file in self.work.glob("finished/*/checksums.json"))

    def saved_step(self) -> int:
        """Return the steps in the last state that an attempt saved."""
        return max([0, *(attempt.saved for attempt in self.attempts)])

    def made(self) -> dict[str, bytes]:
        """Return all that must not depend on kills: the published files but run.json, and measures on the way."""
        files = [self.results / name for name in RESULTS] + sorted(self.work.glob("spectra/**/*.h5"))
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in files}

    def faults(self, undisturbed: Training) -> list[str]:
        """Return in words what is wrong with the finished training: with each attempt, and with what is left."""
        steps = self.variant["steps"]
        found = [
            f"attempt {number}: {fault}"
            for number in range(len(self.attempts))
            for fault in attempt_faults(self.attempts[: number + 1])
        ]
        made, expected = self.made(), undisturbed.made()
        found += [f"{name} differs" for name in made | expected if made.get(name) != expected.get(name)]
        begun, lost = (sum(getattr(attempt, name) for attempt in self.attempts) for name in ("begun", "lost"))
        if begun - lost > steps:  # by the launcher's count; lost: what a kill took that was not saved yet
            found.append(f"{begun} steps were begun and {lost} of them lost, of {steps}")
        found += run_faults(json.loads((self.results / "run.json").read_text()), steps)
        left = sorted(path.name for path in self.results.iterdir())
        if left != sorted(OUTPUTS):
            found.append(f"beside the results lies {', '.join(set(left) - set(OUTPUTS))}")
        left = {path.name for path in self.work.iterdir()} - {"finished", "lock.guard", "spectra"}
        if left:
            found.append(f"the work folder still holds {', '.join(sorted(left))}")
        if list(self.work.glob("spectra/**/*.partial")):
            found.append("measures on the way left partial files")
        if len(list((self.work / "finished").iterdir())) != 1:
            found.append("more than the finished run is kept")
        return found


def attempt_faults(attempts: list[Attempt]) -> list[str]:
    """Return what is wrong with the last one of some attempts."""
    *earlier, last = attempts
    saved = max([0, *(attempt.saved for attempt in earlier)])
    made = max([0, *(attempt.first + attempt.begun for attempt in earlier if attempt.begun)])
    found = []
    # A state can get its name a moment before the board says so; a kill between the two hides it.
    if last.begun and not saved <= last.first <= made:
        found.append(f"began at step {last.first}, but {saved} steps were saved and {made} made before")
    if last.code == -signal.SIGTERM:
        if last.catches:
            found.append(f"SIGTERM killed it in the phase {last.hit}, where it is to be caught")
    elif last.code == STOPPED:
        if last.begun and last.saved != last.first + last.made:
            found.append(f"stopped after step {last.first + last.made} with {last.saved} steps saved")
    elif last.code not in (0, -signal.SIGKILL):
        found.append(f"ended with code {last.code}: {last.text[-500:]}")
    return found


def run_faults(run: dict, steps: int) -> list[str]:
    """Return what run.json tells of repeated or missing steps."""
    found = []
    if run["optimizer_steps_run"] != steps:
        found.append(f"run.json: {run['optimizer_steps_run']} steps were run, of {steps}")
    ends = [attempt["to_step"] for attempt in run["attempts"]]
    begins = [attempt["from_step"] for attempt in run["attempts"]]
    if begins != [0, *ends[:-1]] or ends[-1] != steps:
        found.append(f"run.json: attempts begin at {begins} and end at {ends}")
    return found


def _kill(process: subprocess.Popen, board: Board, kill: Kill) -> tuple[str | None, str]:
    """Send the signal when its moment has come.

    Returns
    -------
    hit : str or None
        Phase that it came in; None: the process ended before.
    moved : str
        Key of `MOVED`, if that was `rename`.
    """
    if kill.aim is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(kill.after)
    else:
        while process.poll() is None and not board.reached:
            time.sleep(POLL)
        if board.reached and kill.place != WITHIN:  # it sent the signal to itself
            hit, _, moved = kill.aim.partition(" ")
            return hit, moved
        time.sleep(kill.after)
    hit, moved = PHASES[board.phase], board.moved.decode()
    if process.poll() is not None:
        return None, ""
    process.send_signal(kill.signal)
    return hit, moved
