"""Print how far the runs of a study are: done, running, interrupted, failed, not started. Changes nothing."""

import argparse
import json
import sys
from pathlib import Path

from spectral_priority.config import choose_study, load_study
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


def study_file(asked: str | None, results: Path) -> Path:
    """Find a study: a file, a study of config/, or one that has results (a file of the user's own)."""
    if asked is None:
        return choose_study({}, [], PROJECT / "config")[0]
    if Path(asked).is_file():
        return Path(asked)
    resolved = results / asked / "config.yaml"
    try:
        return choose_study({"study": asked}, [], PROJECT / "config")[0]
    except InputError:
        if resolved.is_file():
            return resolved
    raise InputError(
        "--study", f"found {asked!r}", f"a study file, the name of one in config/, or of one with {resolved}"
    )


def main(arguments: argparse.Namespace) -> None:
    """Look at every run, print the table."""
    study = load_study(study_file(arguments.study, arguments.results))
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
