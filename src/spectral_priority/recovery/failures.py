"""What failed while a study ran, each job once, for the end: Snakemake itself tells it at every attempt, in between.

A logging handler for Snakemake's logger, by the attributes that its records have; it imports no Snakemake. It also
tells which jobs ended twice with the same error: further attempts of these would be in vain.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..status.runs import last_error

REFUSAL = "WorkflowError in file"
"""How Snakemake begins a message of the Snakefile; the message is the line after it."""


@dataclass(frozen=True)
class Failure:
    """The last failed attempt of a job.

    Attributes
    ----------
    rule : str
    logs : sequence of str
        The rule's log first; then the cluster's.
    group : tuple of int
        Numbers of the jobs that were submitted together.
    reason : tuple of str or None
        The log that says why the job ended, and what it says; or that it was not submitted, and why. None: nobody says.
    told : int
        When that log was written, in nanoseconds.
    """

    rule: str
    logs: Sequence[str]
    group: tuple[int, ...]
    reason: tuple[str, str] | None
    told: int


class Failures(logging.Handler):
    """Keeps, of all that Snakemake logs, which jobs failed and did not succeed at a later attempt.

    Parameters
    ----------
    in_vain : callable
        Called with the number of a job that ended with the same error as at its attempt before.

    Examples
    --------
    >>> failures = Failures()
    >>> failures.note("train", 7, ["results/logs/demo/train.log"])
    >>> print(failures.as_text())
    1 job failed:
      train: see results/logs/demo/train.log
    >>> failures.done(7)
    >>> failures.as_text()
    ''
    """

    def __init__(self, in_vain: Callable[[int], None] = lambda number: None) -> None:
        super().__init__()
        self._in_vain = in_vain
        self._failed: dict[int, Failure] = {}
        self._refused: dict[int, str] = {}
        self._groups: dict[int, tuple[tuple[int, ...], list[str]]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record of a job that failed or was finished."""
        event = getattr(getattr(record, "event", None), "name", "")
        if event == "JOB_ERROR":
            self.note(record.rule_name, record.jobid, record.log)
        elif event == "JOB_FINISHED":
            self.done(record.job_id)
        elif event == "GROUP_ERROR":
            numbers = tuple(info["jobid"] for info in record.job_error_info)
            self._groups |= dict.fromkeys(numbers, (numbers, list(record.aux_logs)))

    def note(self, rule: str, number: int, logs: Sequence[str]) -> None:
        """Note that a job's attempt failed."""
        group, more = self._groups.get(number, ((number,), []))
        # Jobs that were submitted together share the cluster's log, so an error in it may be another's.
        told = [(log, last_error(Path(log))) for log in logs]
        told += [(log, _refusal(Path(log))) for log in (*logs, *more)]
        refusal = self._refused.pop(number, "")
        reason = ("not submitted", refusal) if refusal else next((one for one in told if one[1]), None)
        # An attempt that ended before it began left the log as it was.
        told_at = _written(Path(reason[0])) if reason else 0
        before = self._failed.get(number)
        self._failed[number] = Failure(rule, [*logs, *more], group, reason, told_at)
        if reason and before and before.reason and before.reason[1] == reason[1] and before.told != told_at:
            self._in_vain(number)

    def refused(self, numbers: Sequence[int], reason: str) -> None:
        """Note why jobs that are about to fail were not even submitted.

        >>> failures = Failures()
        >>> failures.refused([7], "sbatch: error: invalid partition specified: gpus")
        >>> failures.note("train", 7, ["results/logs/demo/train.log"])
        >>> print(failures.as_text())
        1 job failed:
          train: not submitted
              sbatch: error: invalid partition specified: gpus
        """
        self._refused |= dict.fromkeys(numbers, reason)

    def done(self, number: int) -> None:
        """Note that a job succeeded."""
        self._failed.pop(number, None)

    def as_text(self) -> str:
        """Name every failed job once, with its log and the last that its program said; empty where none failed."""
        told = {number for number, failure in self._failed.items() if failure.reason}
        shown = [
            failure
            for number, failure in self._failed.items()
            # Of jobs submitted together Snakemake names all: those are shown that said why, or else all.
            if number in told or told.isdisjoint(failure.group)
        ]
        if not shown:
            return ""
        lines = [f"{len(shown)} job{'s' if len(shown) > 1 else ''} failed:"]
        for failure in sorted(shown, key=lambda one: (one.rule, list(one.logs))):
            if failure.reason:
                lines += [f"  {failure.rule}: {failure.reason[0]}", f"      {failure.reason[1]}"]
            else:
                lines.append(f"  {failure.rule}: see {', '.join(failure.logs)}")
        return "\n".join(lines)


def _written(log: Path) -> int:
    try:
        return log.stat().st_mtime_ns
    except OSError:
        return 0


def _refusal(log: Path) -> str:
    """Return the last message of the Snakefile in a log of the cluster."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    told = [after for line, after in pairwise(lines) if line.startswith(REFUSAL)]
    return told[-1] if told else ""
