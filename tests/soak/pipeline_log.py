"""The log of faults in a whole study, in Markdown: what befell it, how often, and how it ended."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from pipeline_faults import KINDS
from pipeline_round import Round
from soak_log import table


def write_log(
    path: Path, rounds: dict[int, Round], skipped: list[str], options: str, files: int, seconds: float
) -> str:
    """Write the log and return it.

    Parameters
    ----------
    path : Path
    rounds : dict
        Number → a round that is over.
    skipped : list of str
        Kinds of faults that could not be tried here.
    options : str
        Options of the command.
    files : int
        Results that were compared in every round.
    seconds : float
        How long all took.
    """
    wrong = [fault.partition(":")[0][:200] for played in rounds.values() for fault in played.faults]
    result = f"**{len(wrong)} faults**: {'; '.join(wrong)}" if wrong else (
        f"every round ended with the {files} results of an undisturbed study"
    )  # fmt: skip
    starts = sum(len(played.codes) for played in rounds.values())
    left_out = f"- Left out, for no disk can be mounted here: {', '.join(skipped)}.\n" if skipped else ""
    text = f"""# Faults in a whole study

Made by `python tests/soak/pipeline_soak.py {options}`, {datetime.now().astimezone():%Y-%m-%d %H:%M %Z}.

- Result: {result}.
- {len(rounds)} rounds in {starts} starts of the same command and {seconds / 60:.1f} minutes.
{left_out}- {os.cpu_count()} CPUs ({platform.machine()}, {platform.system()}), Python {platform.python_version()},
  Snakemake {version("snakemake")}, torch {version("torch")}.

A study of one run (tests/soak/tiny_study.py) is begun empty, half made or whole; a fault befalls it; the same command
is given until it succeeds. Put aside: files that were found to be no longer as they were made.

{table(by_kind(rounds))}

Every round:

{table(by_round(rounds))}
"""
    path.write_text(text, encoding="utf-8")
    return text


def by_kind(rounds: dict[int, Round]) -> Iterator[list[object]]:
    """Go through the rows for every kind of fault."""
    yield ["fault", "rounds", "starts until it succeeded", "put aside", "equal"]
    for kind in KINDS:
        own = [played for played in rounds.values() if played.kind.name == kind.name]
        starts = [len(played.codes) for played in own]
        yield [
            kind.name,
            len(own),
            f"{min(starts)} to {max(starts)}" if own else "–",
            sum(played.aside for played in own),
            "NO" if any(played.faults for played in own) else "yes" if own else "–",
        ]


def by_round(rounds: dict[int, Round]) -> Iterator[list[object]]:
    """Go through the rows for every round."""
    yield ["round", "fault", "begun", "what was done", "exit codes", "equal"]
    for number, played in sorted(rounds.items()):
        codes = ", ".join(map(str, played.codes)).replace("-", "−")
        yield [number, played.kind.name, played.start, played.told, codes, "NO" if played.faults else "yes"]
