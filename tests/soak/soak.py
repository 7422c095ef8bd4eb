"""Kill short trainings again and again, and see that each ends as if nothing had happened. `make soak` runs it.

First come kills at moments uniform over the life of the process; then kills aimed at the phases that those hit rarely.
Ends with exit code 1 where anything is wrong, and then keeps its folder.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kills import STOPPED, VARIANTS, Training, prepare
from plan import Plan
from soak_log import told, write_log

SIDE_BY_SIDE = 2
KILLS_PER_TRAINING = 6
START_UP = 0.4
"""About the share of an undisturbed life that is over before the first step."""


class Soak:
    """Trainings that are killed as a plan says, until no kill is left.

    Parameters
    ----------
    folder : path
        Made for it.
    plan : Plan
    seed : int
        Of the kills' moments and aims.
    """

    def __init__(self, folder: Path, plan: Plan, seed: int):
        self.folder, self.plan, self.seed = folder, plan, seed
        self.program, self.data = prepare(folder)
        self.undisturbed: dict[str, Training] = {}
        self.lives: dict[str, float] = {}
        self.trainings: list[Training] = []
        self.faults: dict[int, list[str]] = {}

    def run(self) -> None:
        """Run every variant undisturbed, then training after training with kills."""
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            for done in [pool.submit(self._run_undisturbed, name) for name in VARIANTS]:
                done.result()
            for done in [pool.submit(self._work) for _ in range(SIDE_BY_SIDE)]:
                done.result()

    def _run_undisturbed(self, name: str) -> None:
        training = self._training(name, f"undisturbed-{name}")
        self.undisturbed[name], self.lives[name] = training, training.run_undisturbed()
        print(f"{name}: undisturbed, {self.lives[name]:.1f} s", flush=True)

    def _training(self, name: str, folder: str) -> Training:
        return Training(self.program, self.data, self.folder / folder, VARIANTS[name])

    def _work(self) -> None:
        while not self.plan.is_done():
            with self.plan.guard:
                number = len(self.trainings)
                name = list(VARIANTS)[number % len(VARIANTS)]
                self.trainings.append(self._training(name, f"{number}-{name}"))
            training = self.trainings[number]
            self._disturb(training, name, random.Random(f"{self.seed} {number}"))
            self.faults[number] = self._faults(training, name)
            for fault in self.faults[number]:
                print(f"FAULT {training.folder.name}: {fault}", flush=True)
            if not self.faults[number]:
                shutil.rmtree(training.folder)

    def _disturb(self, training: Training, name: str, draw: random.Random) -> None:
        """Start one training until it ends, and kill the first starts."""
        code: int = STOPPED
        while code in (STOPPED, -signal.SIGKILL, -signal.SIGTERM):
            kill = None
            if sum(attempt.hit is not None for attempt in training.attempts) < KILLS_PER_TRAINING:
                left = 1 - training.saved_step() / training.variant["steps"]
                life = self.lives[name] * (START_UP + (1 - START_UP) * left)
                kill = self.plan.next(training, life, draw)
            attempt = training.start(kill)
            code = attempt.code
            if kill is not None:
                self.plan.note(kill, attempt.hit)
            if attempt.hit is not None:
                print(f"{self.plan.hits.total():4d}  {training.folder.name}: {told(attempt)}", flush=True)

    def _faults(self, training: Training, name: str) -> list[str]:
        """Return what is wrong with a training after its end, and after it was started once more."""
        if len(training.attempts) == 1:
            self.lives[name] = training.attempts[0].seconds  # under what else the machine does now
        try:
            found = training.faults(self.undisturbed[name])
            again = training.start()
            later = training.faults(self.undisturbed[name])
        except OSError as error:
            return [f"it did not end: {error}; it printed {training.attempts[-1].text[-1000:]}"]
        found += [f"started again: {fault}" for fault in later if fault not in found]
        return [*found, f"started again, it made {again.begun} steps"] if again.begun else found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    made.add_argument("--kills", type=int, default=100, help="kills at uniform moments")
    made.add_argument("--each", type=int, default=10, help="kills that each phase has at least")
    made.add_argument("--seed", type=int, default=0, help="seed of moments and aims")
    made.add_argument("--out", type=Path, default=Path(__file__).with_name("LOG.md"), help="log to write")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> int:
    """Soak, write the log, return the exit code."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    soak = Soak(folder, Plan(arguments.kills, arguments.each), arguments.seed)
    soak.run()
    options = " ".join(f"--{name} {getattr(arguments, name)}" for name in ("kills", "each", "seed"))
    command, seconds = f"python tests/soak/soak.py {options}", time.monotonic() - began
    print(write_log(arguments.out, soak.trainings, soak.faults, soak.program, command, seconds))
    if any(soak.faults.values()):
        print(f"what the faulty trainings left: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments()))
