"""Jobs by kind: how long they took, how much they used, which share of what they asked for; and what to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from .used import Used

LITTLE, MUCH = 0.5, 0.9
"""Shares of what was asked for, below and above which a hint is given."""
SHORT = 0.1
"""Share of the time limit below which a hint is given: a limit is to be generous, for it ends jobs."""
NO_LIMIT_MINUTES = 7 * 24 * 60
"""A time limit from which on it is taken for none (profiles/local)."""
SEEN_SECONDS = 60.0
"""Shorter jobs say nothing of threads: start-up is most of them."""
STEP_MB = 500.0
"""Memory is suggested in multiples of it."""


@dataclass(frozen=True)
class Row:
    """Jobs of one kind.

    Attributes
    ----------
    kind : str
    jobs : int
    hours : float
        Wall time of all of them.
    median_seconds, longest_seconds : float
    minutes_asked, time_share : float or None
        The time limit, and the longest job as a share of it. The largest where jobs asked for different ones.
    median_mb, most_mb, memory_asked_mb, memory_share : float or None
        Memory, likewise.
    cores : float or None
        CPU time over wall time.
    threads : float or None
    gpu_hours : float or None
        Wall time × GPUs asked for.
    hints : tuple of str
    """

    kind: str
    jobs: int
    hours: float
    median_seconds: float
    longest_seconds: float
    minutes_asked: float | None
    time_share: float | None
    median_mb: float | None
    most_mb: float | None
    memory_asked_mb: float | None
    memory_share: float | None
    cores: float | None
    threads: float | None
    gpu_hours: float | None
    hints: tuple[str, ...] = ()


def summarise(jobs: Iterable[Used]) -> list[Row]:
    """Put jobs of a kind together, the kind that took most time first.

    Examples
    --------
    >>> job = Used("train base", 3600.0, 900.0, 3500.0, threads=1, memory_asked_mb=8000, minutes_asked=720, gpus=1)
    >>> row, = summarise([job, job])
    >>> row.gpu_hours, row.hints[0]
    (2.0, 'asks for 8,000 MB, used at most 900 MB: 2,000 would do')
    """
    groups: dict[str, list[Used]] = {}
    for job in jobs:
        groups.setdefault(job.kind, []).append(job)
    rows = [_row(kind, members) for kind, members in groups.items()]
    return sorted(rows, key=lambda row: -row.hours)


def _row(kind: str, jobs: list[Used]) -> Row:
    seconds = [job.seconds for job in jobs]
    memory = [job.memory_mb for job in jobs if job.memory_mb is not None]
    timed = [job for job in jobs if job.cpu_seconds is not None and job.seconds > 0]
    minutes, asked = _most(job.minutes_asked for job in jobs), _most(job.memory_asked_mb for job in jobs)
    gpus = [job.gpus for job in jobs if job.gpus is not None]
    most = max(memory, default=None)
    row = Row(
        kind,
        len(jobs),
        sum(seconds) / 3600,
        median(seconds),
        max(seconds),
        minutes,
        max(seconds) / 60 / minutes if minutes else None,
        median(memory) if memory else None,
        most,
        asked,
        most / asked if most is not None and asked else None,
        sum(job.cpu_seconds or 0.0 for job in timed) / sum(job.seconds for job in timed) if timed else None,
        _most(job.threads for job in jobs),
        sum(job.seconds * (job.gpus or 0.0) for job in jobs) / 3600 if gpus else None,
    )
    return Row(**{**row.__dict__, "hints": tuple(_hints(row))})


def _most(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _hints(row: Row) -> Iterable[str]:
    if row.memory_share is not None and row.memory_asked_mb and row.most_mb is not None:
        said = f"asks for {row.memory_asked_mb:,.0f} MB, used at most {row.most_mb:,.0f} MB"
        enough = STEP_MB * (1 + -(-1.2 * row.most_mb // STEP_MB))
        if row.memory_share > MUCH:
            yield f"{said}: a little more and it would be killed"
        elif row.memory_share < LITTLE and enough < row.memory_asked_mb:
            yield f"{said}: {enough:,.0f} would do"
    if row.time_share is not None and row.minutes_asked and row.minutes_asked < NO_LIMIT_MINUTES:
        said = f"asks for {duration(60 * row.minutes_asked)}, took at most {duration(row.longest_seconds)}"
        if row.time_share > MUCH:
            yield f"{said}: close to the limit"
        elif row.time_share < SHORT and row.minutes_asked > 60:
            yield f"{said}: jobs with a lower limit wait less in a queue"
    if row.cores is not None and row.threads and row.longest_seconds > SEEN_SECONDS:
        if row.threads > 1 and row.cores < LITTLE * row.threads:
            yield f"asks for {row.threads:.0f} threads, kept {row.cores:.1f} busy"
        elif row.cores > 1.5 * row.threads:
            yield f"asks for {row.threads:.0f} {'thread' if row.threads == 1 else 'threads'}, used {row.cores:.1f}"


def duration(seconds: float) -> str:
    """Write a time in hours, minutes and seconds.

    >>> duration(7), duration(75), duration(43200)
    ('7 s', '1 min 15 s', '12 h 00 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
