"""The efficiency report as people and as programs read it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from ..store.atomic import atomic
from .attempts import Attempts
from .summary import Row, duration

HEADS = (
    "jobs of",
    "n",
    "hours",
    "median",
    "longest",
    "of limit",
    "memory",
    "of asked",
    "cores",
    "of",
    "GPU-hours",
)
HEADS_OF_ATTEMPTS = ("Slurm jobs of", "attempts", "hours", "longest, of limit", "GPU-hours", "ended")


def as_text(study: str, rows: Sequence[Row]) -> str:
    """Return the table of jobs as lines, with hints below.

    Parameters
    ----------
    study : str
    rows : sequence of Row
    """
    jobs, hours = sum(row.jobs for row in rows), sum(row.hours for row in rows)
    gpus = sum(row.gpu_hours or 0.0 for row in rows)
    said = [
        f"{study}: {jobs} finished jobs, {hours:,.2f} hours, {gpus:,.2f} GPU-hours; the last start of each",
        "",
    ]
    said += _aligned([HEADS, *(_cells(row) for row in rows)])
    hints = [f"{row.kind} {hint}" for row in rows for hint in row.hints]
    if any(row.threads is None for row in rows):
        hints.append(
            "What jobs asked for is only known of those that ran with --benchmark-extended (the profiles have it)."
        )
    return "\n".join([*said, *([""] if hints else []), *hints])


def attempts_as_text(folder: Path, since: str, attempts: Sequence[Attempts]) -> str:
    """Return the table of attempts as lines."""
    head = f"Slurm, jobs submitted from {folder.resolve()} since {since}, all attempts:"
    if not attempts:
        return f"{head} none"
    rows = [
        (
            one.rule or "(no comment)",
            str(sum(one.states.values())),
            f"{one.hours:.2f}",
            _share(one.longest_share),
            f"{one.gpu_hours:.2f}",
            ", ".join(f"{count} {state}" for state, count in one.states.items()),
        )
        for one in attempts
    ]
    return "\n".join([head, "", *_aligned([HEADS_OF_ATTEMPTS, *rows])])


def write_rows(target: Path, rows: Sequence[Row]) -> None:
    """Write the table of jobs as CSV: the fields of `Row`, hints joined by semicolons; empty where not known."""
    names = [field.name for field in fields(Row)]
    with atomic(target) as path, path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(names)
        for row in rows:
            table.writerow([*(getattr(row, name) for name in names[:-1]), "; ".join(row.hints)])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.kind,
        str(row.jobs),
        f"{row.hours:.2f}",
        duration(row.median_seconds),
        duration(row.longest_seconds),
        _share(row.time_share),
        "–" if row.most_mb is None else f"{row.most_mb:,.0f} MB",
        _share(row.memory_share),
        "–" if row.cores is None else f"{row.cores:.1f}",
        "–" if row.threads is None else f"{row.threads:.0f}",
        "–" if row.gpu_hours is None else f"{row.gpu_hours:.2f}",
    )


def _share(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The first and a last column of words to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    words = {0, len(rows[0]) - 1} if rows[0] is HEADS_OF_ATTEMPTS else {0}
    return [
        "  ".join(
            cell.ljust(width) if column in words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
