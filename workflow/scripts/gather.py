"""Gather the readings, complexity, learning curves and profiles of all runs of a study; mixtures are refused.

Runs' paths follow from the study file. The tables' columns are in docs/architecture.md.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import track
from spectral_priority.statistics.gather import gather
from spectral_priority.statistics.tables import with_words
from spectral_priority.statistics.tier_alignment import read_spectra_of_tiers, tier_alignment
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--study", type=Path, required=True, help="resolved study file")
    options.add_argument("--results", type=Path, required=True, help="the folder results/")
    options.add_argument("--priority", type=Path, required=True, help="CSV to write: readings of every run")
    options.add_argument(
        "--measures", type=Path, required=True, help="CSV to write: the same of measures without a profile"
    )
    options.add_argument(
        "--complexity", type=Path, required=True, help="CSV to write: complexity of every tier"
    )
    options.add_argument("--learning", type=Path, required=True, help="CSV to write: history of every run")
    options.add_argument("--profiles", type=Path, required=True, help="HDF5 to write: profiles of every run")
    options.add_argument(
        "--tier-alignment", type=Path, help="CSV to write: profiles compared with the spectra of tiers"
    )
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read every run of the study and write what they say."""
    code = expect_code("gather", arguments.expect_code)
    study = load_study(arguments.study)
    found = gather(study, arguments.results, lambda runs: track(runs, f"gather {study.study}", unit="run"))
    write_csv(arguments.priority, with_words(found.priority, "reached"))
    write_csv(arguments.measures, with_words(found.measures, "reached"))
    write_csv(arguments.complexity, found.complexity)
    write_csv(arguments.learning, found.learning)
    write_dataset(arguments.profiles, found.profiles, "profiles", provenance(study=study.study, code=code))
    if arguments.tier_alignment:
        spectra = read_spectra_of_tiers(study, arguments.results)
        write_csv(arguments.tier_alignment, tier_alignment(study, found.profiles, spectra))
    matched = found.priority[found.priority["reading"] == "matched-loss"]
    runs = matched.drop_duplicates(["tier", "recipe", "seed", "fraction"])
    for fraction, reached in runs.groupby("fraction", sort=False)["reached"]:
        logging.info("loss fraction %g: reached by %d of %d runs", fraction, reached.sum(), len(reached))


if __name__ == "__main__":
    run(main, arguments())
