"""Compare what runs respond to with the artefacts planted in their images, and this alignment with overfitting."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.statistics.alignment import alignments, compared
from spectral_priority.statistics.overfitting import overfitting
from spectral_priority.statistics.tables import ALIGNMENT, read_learning
from spectral_priority.store.netcdf import read_dataset
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    options.add_argument("--study", type=Path, required=True, help="resolved study file")
    options.add_argument("--learning", type=Path, required=True, help="learning.csv of the study")
    options.add_argument("--profiles", type=Path, required=True, help="profiles.h5 of the study")
    options.add_argument(
        "--spectra", type=Path, required=True, nargs="+", help="artefact.h5 of its data sets"
    )
    options.add_argument(
        "--alignment", type=Path, required=True, help="CSV to write: a row per run × instance"
    )
    options.add_argument(
        "--summary", type=Path, required=True, help="CSV to write: overfitting against alignment"
    )
    options.add_argument(
        "--compared", type=Path, required=True, help="CSV to write: the spectra and profiles"
    )
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Compare every run with every artefact, correlate, write."""
    expect_code("align", arguments.expect_code)
    study = load_study(arguments.study)
    learning, profiles = read_learning(arguments.learning), read_dataset(arguments.profiles, "profiles")
    files = [read_dataset(path, "data:artefact") for path in arguments.spectra]
    spectra = {spectrum.attrs["dataset"]: spectrum for spectrum in files}
    shares = {name: spectrum["share"].values for name, spectrum in spectra.items()}
    aligned = alignments(study, learning, profiles, shares)
    own = aligned[aligned["spectrum"] == aligned["dataset"]]
    write_csv(arguments.alignment, own[list(ALIGNMENT)])
    write_csv(arguments.compared, compared(study, profiles, spectra))
    summary = overfitting(aligned, study.statistics)
    write_csv(arguments.summary, summary)
    for row in summary.itertuples():
        logging.info(
            "%s, %s on %s: ρ %.2f over %d points, p %.2g; %s",
            row.instance,
            row.outcome,
            row.alignment,
            row.spearman,
            row.n,
            row.p_spearman,
            row.note,
        )


if __name__ == "__main__":
    run(main, arguments())
