"""The table of runs as people and as programs read it."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from .runs import STATES, RunState

HEADS = ("state", "tier", "recipe", "seed", "step", "epoch", "images/s", "left", "measures")


def as_text(study: str, states: list[RunState]) -> str:
    """Return the table as lines, with totals first; an error stands below its run.

    Parameters
    ----------
    study : str
    states : list of RunState
    """
    rows = [HEADS, *(_cells(one) for one in states)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = [totals_in_words(study, states), ""]
    for row, one in zip(rows, [None, *states], strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if one is None:
            continue
        if one.error:
            lines.append(f"    {one.error}")
        if one.holder:
            lines.append(f"    {one.holder}")
        lines += [f"    {name}: {error}" for name, error in one.measure_errors.items()]
    return "\n".join(lines)


def as_document(study: str, states: list[RunState]) -> dict[str, Any]:
    """Return the same for programs: `study`, `totals` (by state) and `runs`."""
    return {
        "study": study,
        "totals": totals(states),
        "runs": [
            {**one.run._asdict(), **{name: value for name, value in asdict(one).items() if name != "run"}}
            for one in states
        ],
    }


def totals(states: list[RunState]) -> dict[str, int]:
    """Count the runs by state."""
    counted = Counter(one.state for one in states)
    return {state: counted[state] for state in STATES}


def totals_in_words(study: str, states: list[RunState]) -> str:
    """Say how many runs are in which state, and how many measures are there."""
    parts = [f"{count} {state}" for state, count in totals(states).items() if count]
    measured, measures = sum(one.measured for one in states), sum(one.measures for one in states)
    return f"{study}: {len(states)} runs: {', '.join(parts)}; {measured} of {measures} measures"


def duration(seconds: float) -> str:
    """Write a time that is left.

    >>> [duration(seconds) for seconds in (0, 59, 61, 3700, 200000)]
    ['1 s', '59 s', '2 min', '1 h 02 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = -(-int(seconds) // 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def _cells(one: RunState) -> tuple[str, ...]:
    started = one.state != "not started"
    epochs = f"{one.epoch:.3g} of {one.epochs:.3g}" if one.epoch is not None and one.epochs else "–"
    known = one.seconds_left is not None and one.state != "done"
    return (
        one.state,
        one.run.tier,
        one.run.recipe,
        str(one.run.seed),
        f"{one.step} of {one.steps}" if started else f"0 of {one.steps}",
        epochs if started else "–",
        f"{one.images_per_second:.0f}" if one.images_per_second else "–",
        duration(one.seconds_left) if known else "–",
        f"{one.measured} of {one.measures}",
    )
