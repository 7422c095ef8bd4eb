"""Print and write what a study's finished jobs used of what they asked for, and how its Slurm jobs ended.

Run it where Snakemake was started. The table is written to results/benchmarks/<study>/efficiency.csv.
"""

import argparse
import sys
from pathlib import Path

from spectral_priority.config.loading import load_study
from spectral_priority.efficiency.attempts import read_attempts
from spectral_priority.efficiency.summary import summarise
from spectral_priority.efficiency.tables import as_text, attempts_as_text, write_rows
from spectral_priority.efficiency.trainings import in_words, read_trainings
from spectral_priority.efficiency.used import read_used
from spectral_priority.errors import InputError


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--study", default="demo", help="name of a study that has run, or its file (default: demo)"
    )
    options.add_argument("--results", default=Path("results"), type=Path, help="the folder results/")
    options.add_argument(
        "--since", default="now-30days", help="how far back Slurm is asked, as sacct takes it"
    )
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read, print, write."""
    given, results = Path(arguments.study), arguments.results
    name = load_study(given).study if given.is_file() else arguments.study
    resolved = results / name / "config.yaml"
    study = load_study(resolved) if resolved.is_file() else None
    used, damaged = read_used(results, name, study)
    for path in damaged:
        print(f"{path}: can't be read, so it is left out", file=sys.stderr)
    if not used:
        raise InputError(
            "--study",
            f"found {arguments.study!r}, of which no job has finished in {results}",
            "a study that has run here",
        )
    rows = summarise(used)
    print(as_text(name, rows))
    if study is not None:
        print(f"\n{in_words(read_trainings(study, results))}")
    table = results / "benchmarks" / name / "efficiency.csv"
    write_rows(table, rows)
    print(f"\nwritten to {table}")
    attempts = read_attempts(results.parent, arguments.since)
    if attempts is not None:
        print(f"\n{attempts_as_text(results.parent, arguments.since, attempts)}")


if __name__ == "__main__":
    try:
        main(arguments())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
