"""Print how far the runs of a study are: done, running, interrupted, failed, not started. Changes nothing."""

import argparse
import json
import sys
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.config.loading import find_study
from spectral_priority.errors import InputError
from spectral_priority.status.runs import run_states
from spectral_priority.status.table import as_document, as_text

PROJECT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--study", help="a study's name, or a study file (default: the demo)")
    options.add_argument("--results", default=Path("results"), type=Path, help="the folder results/")
    options.add_argument("--json", action="store_true", help="for programs")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Look at every run, print the table."""
    study = load_study(find_study(arguments.study, arguments.results, PROJECT / "config"))
    states = run_states(study, arguments.results)
    if arguments.json:
        print(json.dumps(as_document(study.study, states), indent=1))
    else:
        print(as_text(study.study, states))


if __name__ == "__main__":
    try:
        main(arguments())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
