"""How the jobs that went to Slurm ended, attempt by attempt, from `sacct`.

CPU and memory of each job are in the plugin's own report (`slurm-efficiency-report`); what it leaves out is here: every
attempt and how it ended, time against the limit, GPU-hours.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

FIELDS = ("JobIDRaw", "State", "ElapsedRaw", "TimelimitRaw", "AllocTRES", "WorkDir", "Comment")


@dataclass(frozen=True)
class Attempts:
    """Attempts of the jobs of one rule or group.

    Attributes
    ----------
    rule : str
        Empty where the cluster keeps no comments.
    states : dict
        Slurm's state → attempts that ended in it; `FAILED` are also trainings that saved their state and stopped.
    hours, gpu_hours : float
        Of all attempts.
    longest_share : float or None
        The longest attempt as a share of its time limit.
    """

    rule: str
    states: dict[str, int]
    hours: float
    gpu_hours: float
    longest_share: float | None


def read_attempts(folder: Path, since: str = "now-30days") -> list[Attempts] | None:
    """Ask Slurm for the jobs that were submitted from a folder.

    Parameters
    ----------
    folder : path
        Where Snakemake was started.
    since : str
        As `sacct --starttime` takes it.

    Returns
    -------
    list of Attempts or None
        By rule, the one with most hours first; None where there is no Slurm with accounts.

    Raises
    ------
    InputError
        Where `since` is no time.
    """
    if shutil.which("sacct") is None:
        return None
    command = ["sacct", "--allocations", "--duplicates", "--noheader", "--parsable2"]
    done = subprocess.run(
        [*command, f"--starttime={since}", f"--format={','.join(FIELDS)}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if "time specification" in done.stderr.lower():
        raise InputError(
            "--since", f"found {since!r}", "a time as sacct takes it, such as now-30days or 2026-01-31"
        )
    return None if done.returncode else read_sacct(done.stdout, folder)


def read_sacct(said: str, folder: Path) -> list[Attempts]:
    """Read what sacct said (`FIELDS`, parsable) of jobs submitted from a folder."""
    rules: dict[str, list[dict[str, str]]] = {}
    for line in said.splitlines():
        row = dict(zip(FIELDS, line.split("|", len(FIELDS) - 1), strict=True))
        if row["State"] in ("PENDING", "RUNNING") or Path(row["WorkDir"] or "/") != folder.resolve():
            continue
        rules.setdefault(rule_of(row["Comment"]), []).append(row)
    found = [_attempts(rule, rows) for rule, rows in rules.items()]
    return sorted(found, key=lambda one: -one.hours)


def rule_of(comment: str) -> str:
    """Return the rule that a job was submitted for, or the kind of its group, by the comment that the plugin gives it.

    >>> rule_of("rule_train_wildcards_count-2-d0_base_0"), rule_of("rule_measures-count-2-d0-base-seed0_measure")
    ('train', 'measures')
    """
    name = comment.removeprefix("rule_").split("_wildcards_")[0]
    return name.partition("-")[0]  # names of rules have no hyphen, names of groups go on with the run


def _attempts(rule: str, rows: list[dict[str, str]]) -> Attempts:
    seconds = [int(row["ElapsedRaw"] or 0) for row in rows]
    shares = [
        second / 60 / int(row["TimelimitRaw"])
        for second, row in zip(seconds, rows, strict=True)
        if row["TimelimitRaw"].isdigit() and int(row["TimelimitRaw"])
    ]
    gpus = sum(second * _gpus(row["AllocTRES"]) for second, row in zip(seconds, rows, strict=True))
    states = Counter(row["State"].split(" ")[0] for row in rows)  # `CANCELLED by 1000` is CANCELLED
    return Attempts(
        rule, dict(states.most_common()), sum(seconds) / 3600, gpus / 3600, max(shares, default=None)
    )


def _gpus(resources: str) -> int:
    found = re.search(r"(?:^|,)gres/gpu=(\d+)", resources)
    return int(found[1]) if found else 0
