"""The log of a soak, in Markdown: what was killed when, and how it ended."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from board import MOVED, PHASES
from kills import Attempt, Training
from plan import SIGNALS

from spectral_priority.fingerprint import code_fingerprint

HEAD = ["phase", "signal", "kills", "at a time", "aimed", "exit codes", "went on from", "steps lost", "equal"]
PLACES_IN_WORDS = {"entering": "just before", "within": "meanwhile", "leaving": "just after"}


def write_log(
    path: Path,
    trainings: list[Training],
    faults: Mapping[int, list[str]],
    program: Path,
    command: str,
    seconds: float,
) -> str:
    """Write the log and return it.

    Parameters
    ----------
    path : Path
        File to write.
    trainings : list of Training
    faults : mapping
        Number of a training → what was wrong with it.
    program : Path
        The train.py that was killed, beside the library that it used.
    command : str
        Command that was given.
    seconds : float
        How long all took.
    """
    kills = [attempt.kill for training in trainings for attempt in training.attempts if attempt.hit]
    signals = ", ".join(f"{sum(kill.signal == number for kill in kills)} {number.name}" for number in SIGNALS)
    uniform = sum(kill.aim is None for kill in kills)
    variants = ", ".join(sorted({training.folder.name.split("-")[1] for training in trainings}))
    starts = sum(len(training.attempts) for training in trainings)
    wrong = [fault for found in faults.values() for fault in found]
    result = f"**{len(wrong)} faults**: {'; '.join(wrong)}" if wrong else (
        "every training ended with the bytes of an undisturbed one, and no saved step was made twice"
    )  # fmt: skip
    code = code_fingerprint(program, source=program.parents[2] / "src" / "spectral_priority")
    text = f"""# Kills of trainings

Made by `{command}`, {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}; tests/soak/soak.py says how.

- Result: {result}.
- {len(kills)} kills ({signals}): {uniform} at moments uniform over the life of the process,
  {len(kills) - uniform} aimed at phases that those hit rarely.
- {len(trainings)} trainings ({variants}), two side by side, in {starts} starts and {seconds / 60:.1f} minutes.
- {os.cpu_count()} CPUs ({platform.machine()}, {platform.system()}), Python {platform.python_version()},
  torch {version("torch")}; code fingerprint of the training {code}.

Exit codes: 75 stopped with its state saved, 0 finished all the same, −9 and −15 death by the signal. SIGTERM is caught
from the import of torch on, and not where a finished run is but published again. Steps lost: begun by the killed
process after its last saved state; no other step was made twice.

{table(by_phase(trainings, faults))}

What was being moved to its name when a kill came in `rename`:

{table(by_file(trainings))}
"""
    path.write_text(text, encoding="utf-8")
    return text


def by_phase(trainings: list[Training], faults: Mapping[int, list[str]]) -> Iterator[list[object]]:
    """Go through the rows for every phase and signal."""
    yield HEAD
    for phase in PHASES:
        for number in SIGNALS:
            found = [
                (training, place)
                for training in trainings
                for place, attempt in enumerate(training.attempts)
                if attempt.hit == phase and attempt.kill.signal == number
            ]
            attempts = [training.attempts[place] for training, place in found]
            codes = sorted(Counter(attempt.code for attempt in attempts).items())
            begins = [step for training, place in found for step in _went_on(training.attempts[place + 1 :])]
            uniform = sum(attempt.kill.aim is None for attempt in attempts)
            yield [
                phase,
                number.name,
                len(attempts),
                uniform,
                len(attempts) - uniform,
                ", ".join(f"{code} (×{count})" for code, count in codes).replace("-", "−"),
                f"{min(begins)} to {max(begins)}" if begins else "–",
                sum(attempt.lost for attempt in attempts),
                "NO" if any(faults[trainings.index(training)] for training, _ in found) else "yes",
            ]


def by_file(trainings: list[Training]) -> Iterator[list[object]]:
    """Go through the rows for every kind of file that was being moved."""
    counts: Counter[tuple[str, str]] = Counter()
    for training in trainings:
        for attempt in training.attempts:
            if attempt.hit == "rename":
                exactly = attempt.kill.aim == f"rename {attempt.moved}"
                counts[attempt.moved, attempt.kill.place if exactly else "within"] += 1
    yield ["moved", *PLACES_IN_WORDS.values()]
    for key, name in MOVED.items():
        yield [f"`{name}`", *(counts[key, place] for place in PLACES_IN_WORDS)]


def table(rows: Iterator[list[object]]) -> str:
    """Return a Markdown table whose head is the first row.

    >>> print(table(iter([["a", "b"], [1, 2]])))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    head, *rest = rows
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, ["---"] * len(head), *rest))


def told(attempt: Attempt) -> str:
    """Return in words how an attempt was killed."""
    kill = attempt.kill
    what = f" ({MOVED.get(attempt.moved)})" if attempt.hit == "rename" else ""
    how = f"aimed {kill.place}" if kill.aim else f"after {kill.after:.2f} s"
    step = f", at step {attempt.first + attempt.made}" if attempt.begun else ""
    saved = f", {attempt.saved} saved" if attempt.saved >= 0 else ""
    return f"{kill.signal.name} in {attempt.hit}{what}, {how}{step}{saved}, code {attempt.code}"


def _went_on(later: list[Attempt]) -> list[int]:
    """Return the first step that was made by any of some attempts; nothing where none made one."""
    return [attempt.first for attempt in later if attempt.begun][:1]
