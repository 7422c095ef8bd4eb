"""The attempts that a run took, as lines of JSON: one when an attempt begins, one when it ends. Imports no torch."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from ..store.atomic import explained, sync


class Attempts:
    """The attempts of one run, in a file of its work folder; those of other fingerprints don't count.

    An attempt without an end was killed; the next one writes its end: at the last step that it saved.
    """

    def __init__(self, path: Path, fingerprint: str):
        self.path, self.fingerprint = path, fingerprint

    def begin(self, from_step: int, seconds_known: dict[int, float] | None = None) -> int:
        """Note the beginning of an attempt at a step, and return its number (0, 1, …).

        Parameters
        ----------
        from_step : int
            Step that training goes on from: the last saved one.
        seconds_known : dict
            Seconds of a killed attempt until it last saved, by its number.
        """
        earlier = self.read()
        for number, attempt in enumerate(earlier):
            if "end" not in attempt:
                last = max(attempt["from_step"], from_step)
                self._append(number, to_step=last, seconds=(seconds_known or {}).get(number), end="killed")
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        gpus = {"gpus": visible} if visible else {}
        self._append(len(earlier), from_step=from_step, host=socket.gethostname(), pid=os.getpid(), **gpus)
        return len(earlier)

    def end(self, number: int, to_step: int, seconds: float, end: str) -> None:
        """Note the end (`finished` or `stopped`) of an attempt."""
        self._append(number, to_step=to_step, seconds=seconds, end=end)

    def read(self) -> list[dict[str, Any]]:
        """Return the attempts: from_step, host, pid and, where known, gpus, to_step, seconds, end."""
        found: dict[int, dict[str, Any]] = {}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off by a kill or a full disk
            if entry.pop("fingerprint", None) == self.fingerprint:
                found.setdefault(entry.pop("attempt"), {}).update(entry)
        return [found[number] for number in sorted(found) if "from_step" in found[number]]

    def _append(self, number: int, **fields: Any) -> None:
        line = json.dumps({"attempt": number, "fingerprint": self.fingerprint, **fields})
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" + line)  # in front: a line that was cut off stays alone
            sync(self.path)
        except OSError as error:
            raise explained(error, self.path) from error


def steps_run(attempts: list[dict[str, Any]]) -> int:
    """Return the optimiser steps of all attempts, as far as known (a killed one may have made a few more).

    >>> steps_run([{"from_step": 0, "to_step": 30}, {"from_step": 30, "to_step": 50}])
    50
    """
    return sum(attempt["to_step"] - attempt["from_step"] for attempt in attempts)
