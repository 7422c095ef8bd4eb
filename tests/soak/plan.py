"""Which kill comes next: first at uniform moments, then aimed at the phases that those hit rarely."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter

from board import MOVED, PHASES, PLACES
from kills import Kill, Training

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
AIMS = {phase: [phase] for phase in PHASES} | {"rename": [f"rename {key}" for key in MOVED]}
AIMS_AT_KEPT = {
    "lock": ["lock"],
    "rename": ["rename lock", "rename checkpoints", "rename history", "rename classes", "rename run"],
    "publish": ["publish"],
    "end": ["end"],
}
"""What a start can be aimed at whose run is finished and kept: it only publishes."""
SEVERAL = Counter(step=200, evaluate=20, part=20, state=30, end=2)
SEVERAL |= {"import": 3, "rename part": 20, "rename previous": 20, "rename state": 20}
SEVERAL |= {"rename checkpoints": 2, "rename history": 2, "rename classes": 2, "rename run": 2}
"""A kill comes in one of the first so many occurrences of its aim; there is but one of the others."""
SECONDS = Counter(start=0.2, lock=0.005, load=0.05, step=0.003, evaluate=0.02, part=0.02, state=0.02)
SECONDS |= {"import": 2.0, "rename": 0.0005, "assemble": 0.05, "publish": 0.02, "end": 0.1}
"""About how long a phase lasts: a kill within it comes no later."""


class Plan:
    """The kills that are left to make; for several threads.

    Parameters
    ----------
    kills : int
        Kills at uniform moments.
    each : int
        Kills that every phase is to have at least; `rename`, which is of many files, twice as many.
    """

    def __init__(self, kills: int, each: int):
        self.kills, self.needed = kills, {phase: each * (1 + (phase == "rename")) for phase in PHASES}
        self.hits: Counter[tuple[str, signal.Signals]] = Counter()
        self.uniform: Counter[signal.Signals] = Counter()
        self.aims: Counter[str] = Counter()
        self.under_way: list[Kill] = []
        self.guard = threading.Lock()

    def next(self, training: Training, life: float, draw: random.Random) -> Kill | None:
        """Return a kill for a training's next start, which would live for so many seconds; None: let it end."""
        with self.guard:
            kill = self._uniform(life, draw) or self._aimed(training, draw)
            if kill is not None:
                self.under_way.append(kill)
            return kill

    def note(self, kill: Kill, hit: str | None) -> None:
        """Count a kill that was made in a phase; None: it came too late, and counts for nothing."""
        with self.guard:
            self.under_way.remove(kill)
            if hit is not None:
                self.hits[hit, kill.signal] += 1
                self.uniform[kill.signal] += kill.aim is None

    def is_done(self) -> bool:
        """Tell whether no kill is left to make but those under way."""
        with self.guard:
            return self._uniform_counts().total() >= self.kills and not self._lacking()

    def _uniform_counts(self) -> Counter[signal.Signals]:
        return self.uniform + Counter(kill.signal for kill in self.under_way if kill.aim is None)

    def _uniform(self, life: float, draw: random.Random) -> Kill | None:
        counts = self._uniform_counts()
        if counts.total() >= self.kills:
            return None
        return Kill(min(SIGNALS, key=counts.__getitem__), after=draw.uniform(0, life))

    def _lacking(self) -> dict[str, Counter[signal.Signals]]:
        """Return the phases with too few kills, and their counts by signal, with those under way."""
        counts = {
            phase: Counter({number: self.hits[phase, number] for number in SIGNALS}) for phase in PHASES
        }
        for kill in self.under_way:
            if kill.aim is not None:
                counts[kill.aim.split()[0]][kill.signal] += 1
        return {phase: count for phase, count in counts.items() if count.total() < self.needed[phase]}

    def _aimed(self, training: Training, draw: random.Random) -> Kill | None:
        aims = AIMS_AT_KEPT if training.is_kept() else AIMS
        lacking = {phase: count for phase, count in self._lacking().items() if phase in aims}
        if training.saved_step() == 0:
            lacking.pop("load", None)
        if not lacking:
            return None
        fewest = min(count.total() for count in lacking.values())
        phase = draw.choice([phase for phase, count in lacking.items() if count.total() == fewest])
        rarest = min(self.aims[aim] for aim in aims[phase])
        aim = draw.choice([aim for aim in aims[phase] if self.aims[aim] == rarest])
        self.aims[aim] += 1
        return Kill(
            min(SIGNALS, key=lacking[phase].__getitem__),
            draw.uniform(0, SECONDS[phase]),
            aim,
            draw.choice(PLACES),
            draw.randint(1, max(1, SEVERAL[aim])),
        )
