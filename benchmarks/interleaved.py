"""Times that can be compared on a busy machine: cases take turns, and ratios are taken turn by turn."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median, quantiles
from typing import Any, NamedTuple

import psutil


class Turn(NamedTuple):
    """Seconds of one turn of a case: by the clock, and of processor time (children included)."""

    wall: float
    processor: float


def now() -> Turn:
    """Read both clocks, once the devices have done what they were asked for; `since` gives the turn."""
    _wait_for_devices()
    return Turn(time.perf_counter(), _processor_seconds())


def since(begun: Turn) -> Turn:
    """Return the turn that began at a reading of the clocks."""
    ended = now()
    return Turn(ended.wall - begun.wall, ended.processor - begun.processor)


def timed(case: Callable[[], object]) -> Turn:
    """Take one turn."""
    begun = now()
    case()
    return since(begun)


def take_turns(cases: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Turn]]:
    """Let cases take turns: forth in one round and back in the next, so that a drift of the machine hits all alike.

    A round beforehand is not counted.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name in list(cases) if number % 2 else reversed(cases):
            turn = timed(cases[name])
            if number:
                turns[name].append(turn)
    return turns


def seconds(turns: list[Turn]) -> float:
    """Return the median seconds of a turn, by the clock."""
    return median(turn.wall for turn in turns)


def row(
    what: str, value: float, unit: str, ratio_to: str = "", ratio: float | None = None, **more: Any
) -> dict:
    """Return a row of results; `more`: see `compared`."""
    return {"what": what, "value": value, "unit": unit, "ratio_to": ratio_to, "ratio": ratio, **more}


def compared(turns: list[Turn], other: list[Turn], ratio_to: str, inverse: bool = False) -> dict[str, Any]:
    """Return the fields of a row that say how one case's times compare with another's.

    Parameters
    ----------
    turns, other : list of Turn
        Of the same rounds.
    ratio_to : str
        What the other one is.
    inverse : bool
        The ratio is that of rates instead of times.

    Returns
    -------
    dict
        `ratio_to`; `ratio`: the median of the rounds' ratios; `spread`: their quartiles; `processor_ratio`: the same
        median of processor time, which other programs on the machine disturb less.
    """
    pairs = list(zip(turns, other, strict=True))
    walls = [one.wall / two.wall for one, two in pairs]
    processor = [one.processor / two.processor for one, two in pairs]
    if inverse:
        walls, processor = [1 / ratio for ratio in walls], [1 / ratio for ratio in processor]
    low, _, high = quantiles(walls, n=4) if len(walls) > 1 else walls * 3
    return {
        "ratio_to": ratio_to,
        "ratio": median(walls),
        "spread": f"{low:.3g} – {high:.3g}",
        "processor_ratio": median(processor),
    }


def _wait_for_devices() -> None:
    torch = sys.modules.get("torch")  # programs' start-up is timed without it
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def _processor_seconds() -> float:
    """Of this process, its children that ended, and its living ones (to a hundredth of a second)."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        try:
            used = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += used.user + used.system
    return total
