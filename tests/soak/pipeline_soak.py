"""Faults of many kinds in a whole study, round after round: the same command ends as if nothing had happened.

`make soak` runs it. Ends with exit code 1 where anything is wrong, and then keeps the folders of those rounds.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from pipeline_faults import KINDS, can_mount
from pipeline_log import write_log
from pipeline_round import Round, play
from same_results import results_of
from tiny_study import prepare

SIDE_BY_SIDE = 3
"""Rounds at a time: programs of a round wait for each other, and for the disk."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    made.add_argument("--rounds", type=int, default=50, help="rounds; every kind of fault comes in turn")
    made.add_argument("--seed", type=int, default=0, help="seed of moments, files and bits")
    made.add_argument("--again", type=int, nargs="*", help="numbers of rounds to play once more, not all")
    made.add_argument("--only", default="", help="kinds whose names hold this")
    made.add_argument(
        "--out", type=Path, default=Path(__file__).with_name("PIPELINE_LOG.md"), help="log to write"
    )
    return made.parse_args()


def main(arguments: argparse.Namespace) -> int:
    """Play the rounds, write the log, return the exit code."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    mounts = can_mount(folder)
    kinds = [kind for kind in KINDS if arguments.only in kind.name and (mounts or not kind.disk)]
    skipped = [] if mounts else [kind.name for kind in KINDS if kind.disk]
    project, whole = prepare(folder)
    expected = results_of(whole)
    print(f"undisturbed after {time.monotonic() - began:.0f} s: {len(expected)} files", flush=True)

    again = f" --again {' '.join(map(str, arguments.again))}" if arguments.again else ""
    options = f"--rounds {arguments.rounds} --seed {arguments.seed}{again}"
    rounds: dict[int, Round] = {}
    guard = Lock()

    def one(number: int) -> None:
        draw, kind = random.Random(f"{arguments.seed} {number}"), kinds[number % len(kinds)]
        played = play(project, whole, folder / f"round-{number}", kind, draw, expected)
        found = f"FAULT {'; '.join(played.faults)}" if played.faults else "equal"
        print(
            f"{number:3d} {played.kind.name} ({played.start}): {played.told}; codes {played.codes}, "
            f"{played.aside} put aside, {played.seconds:.0f} s: {found}",
            flush=True,
        )
        with guard:  # after every round, so that one that is ended early has a log too
            rounds[number] = played
            seconds = time.monotonic() - began
            write_log(arguments.out, rounds, skipped, options, len(expected), seconds)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(one, arguments.again or range(arguments.rounds)))
    print(arguments.out.read_text(encoding="utf-8"))
    if any(played.faults for played in rounds.values()):
        print(f"what the faulty rounds left: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(arguments()))
