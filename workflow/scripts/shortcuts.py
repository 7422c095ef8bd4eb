"""Tell the frequency shortcuts of a study's runs by class, and over seeds."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.statistics.shortcuts import shortcuts_by_class, summarised
from spectral_priority.statistics.tables import with_words
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    options.add_argument("--study", type=Path, required=True, help="resolved study file")
    options.add_argument("--results", type=Path, required=True, help="the folder results/")
    options.add_argument(
        "--shortcuts", type=Path, required=True, help="CSV to write: a row per class and mask"
    )
    options.add_argument("--summary", type=Path, required=True, help="CSV to write: over seeds")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read every run, summarise, write."""
    expect_code("shortcuts", arguments.expect_code)
    study = load_study(arguments.study)
    by_class = shortcuts_by_class(study, arguments.results)
    summary = summarised(study, by_class)
    write_csv(arguments.shortcuts, with_words(with_words(by_class, "headline"), "shortcut"))
    write_csv(arguments.summary, with_words(summary, "headline"))
    for row in summary[summary["headline"] & (summary["quantity"] == "shortcuts")].itertuples():
        logging.info(
            "%s/%s by %s: %.3g of %d classes", row.tier, row.recipe, row.instance, row.mean, row.classes
        )


if __name__ == "__main__":
    run(main, arguments())
