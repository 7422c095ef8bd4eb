"""When a training is to stop early: a signal, or the end of its time."""

from __future__ import annotations

import atexit
import signal
import time

from ..errors import InputError

MARGIN_SECONDS, MARGIN_SHARE = 120.0, 0.1
"""Time kept for saving before the limit: two minutes, or a tenth of a short limit."""


class StopRequest:
    """Ask it between steps; from its making on, SIGTERM and SIGINT only leave a note.

    A second SIGINT (Ctrl-C) interrupts at once.

    Parameters
    ----------
    limit_minutes : float
        Wall time of this attempt.
    started : float
        `time.monotonic()` when it began.
    """

    def __init__(self, limit_minutes: float, started: float):
        limit = 60 * limit_minutes
        self.limit_minutes = limit_minutes
        self.deadline = started + limit - min(MARGIN_SECONDS, MARGIN_SHARE * limit)
        self.signal: signal.Signals | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)
        atexit.register(_ignore_signals)  # Python gives them back to the system before it has ended

    def __call__(self, steps_made: int) -> str | None:
        """Return why to stop now, None to go on.

        Parameters
        ----------
        steps_made : int
            Optimiser steps of this attempt.

        Raises
        ------
        InputError
            Where time is over before the first step: the next attempt would come no further.
        """
        if self.signal is not None:
            return f"signal {self.signal.name}"
        if time.monotonic() < self.deadline:
            return None
        if steps_made == 0:
            raise InputError(
                "time_limit_minutes",
                f"{self.limit_minutes:g} minutes are over before the first step of this attempt",
                "enough for the start and some steps",
                "raise it",
            )
        return f"the time limit of {self.limit_minutes:g} minutes is near"

    def _note(self, number: int, frame: object) -> None:
        self.signal = signal.Signals(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
