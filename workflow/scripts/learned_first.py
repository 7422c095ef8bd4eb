"""Tell which class of each run is learned first, and whether that goes with how distinctive its spectrum is."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.data.distinctiveness import class_distinctiveness
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import track
from spectral_priority.statistics.class_curves import class_curves
from spectral_priority.statistics.learned_first import class_learning
from spectral_priority.statistics.learning_order import learning_order
from spectral_priority.statistics.tables import with_words
from spectral_priority.store.netcdf import read_dataset
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    options.add_argument("--study", type=Path, required=True, help="resolved study file")
    options.add_argument("--results", type=Path, required=True, help="the folder results/")
    options.add_argument(
        "--spectra", type=Path, required=True, nargs="+", help="adcs.h5 of its data sets and labels"
    )
    options.add_argument("--curves", type=Path, required=True, help="CSV to write: scores of every class")
    options.add_argument("--learning", type=Path, required=True, help="CSV to write: a row per run × class")
    options.add_argument("--summary", type=Path, required=True, help="CSV to write: order against spectra")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read every run's class scores and the data's spectra, compare, write."""
    expect_code("learned_first", arguments.expect_code)
    study = load_study(arguments.study)
    curves = class_curves(
        study, arguments.results, lambda runs: track(runs, f"class scores of {study.study}", unit="run")
    )
    files = [read_dataset(path, "data:adcs") for path in arguments.spectra]
    maps = {(spectra.attrs["dataset"], spectra.attrs["label"]): spectra for spectra in files}
    distinctive = {
        tier: class_distinctiveness(
            maps[study.dataset_of(tier), study.labels_of(tier)], own["class"].unique()
        )
        for tier, own in curves.groupby("tier", sort=False)
    }
    learned = class_learning(study, curves, distinctive)
    summary = learning_order(learned, study.statistics)
    write_csv(arguments.curves, curves)
    write_csv(arguments.learning, with_words(learned, "learned"))
    write_csv(arguments.summary, summary)
    for row in summary[summary["tier"].isna()].itertuples():
        logging.info(
            "%s, %s by %s over %d tiers: highest first in %.2f, ρ %.2f, p %.2g",
            *(row.recipe, row.outcome, row.by, row.n, row.first, row.rho, row.p),
        )


if __name__ == "__main__":
    run(main, arguments())
