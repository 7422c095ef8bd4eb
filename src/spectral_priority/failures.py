"""What failed while a study ran, each job once, for the end: Snakemake itself tells it at every attempt, in between.

A logging handler for Snakemake's logger, by the attributes that its records have; it imports no Snakemake.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .status.runs import last_error

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
    """

    rule: str
    logs: Sequence[str]
    group: tuple[int, ...]

    def reason(self) -> tuple[str, str] | None:
        """Return the log that says why the job ended, and what it says; None where none does."""
        for log in self.logs:
            if said := last_error(Path(log)) or _refusal(Path(log)):
                return log, said
        return None


class Failures(logging.Handler):
    """Keeps, of all that Snakemake logs, which jobs failed and did not succeed at a later attempt.

    Examples
    --------
    >>> failures = Failures()
    >>> failures.note("train", 7, ["results/logs/demo/train.log"])
    >>> print(failures.as_text())
    1 job failed. All that does not depend on it was done:
      train: see results/logs/demo/train.log
    >>> failures.done(7)
    >>> failures.as_text()
    ''
    """

    def __init__(self) -> None:
        super().__init__()
        self._failed: dict[int, Failure] = {}
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
        self._failed[number] = Failure(rule, [*logs, *more], group)

    def done(self, number: int) -> None:
        """Note that a job succeeded."""
        self._failed.pop(number, None)

    def as_text(self) -> str:
        """Name every failed job once, with its log and the last that its program said; empty where none failed."""
        reasons = {number: failure.reason() for number, failure in self._failed.items()}
        shown = [
            (failure, reasons[number])
            for number, failure in self._failed.items()
            # Of jobs submitted together Snakemake names all: those are shown that said why, or else all.
            if reasons[number] or not any(reasons.get(other) for other in failure.group)
        ]
        if not shown:
            return ""
        count = f"{len(shown)} job{'s' if len(shown) > 1 else ''} failed"
        lines = [f"{count}. All that does not depend on {'them' if len(shown) > 1 else 'it'} was done:"]
        for failure, reason in sorted(shown, key=lambda one: (one[0].rule, list(one[0].logs))):
            if reason:
                lines += [f"  {failure.rule}: {reason[0]}", f"      {reason[1]}"]
            else:
                lines.append(f"  {failure.rule}: see {', '.join(failure.logs)}")
        return "\n".join(lines)


def _refusal(log: Path) -> str:
    """Return the last message of the Snakefile in a log of the cluster."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    told = [after for line, after in pairwise(lines) if line.startswith(REFUSAL)]
    return told[-1] if told else ""
