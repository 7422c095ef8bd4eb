"""Gather what the measures of a study's runs say over training, for its figures.

Runs' paths follow from the study file. The table's columns are in docs/architecture.md.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import track
from spectral_priority.statistics.measured_curves import measured_curves
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--study", type=Path, required=True, help="resolved study file")
    options.add_argument("--results", type=Path, required=True, help="the folder results/")
    options.add_argument("--output", type=Path, required=True, help="CSV to write")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read the runs of the primary recipes and write their curves."""
    expect_code("over_training", arguments.expect_code)
    study = load_study(arguments.study)
    found = measured_curves(
        study, arguments.results, lambda runs: track(runs, f"curves of {study.study}", unit="run")
    )
    write_csv(arguments.output, found)
    logging.info("%s: %d rows", arguments.output, len(found))


if __name__ == "__main__":
    run(main, arguments())
