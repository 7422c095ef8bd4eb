"""Compute the radial power and the ADCS maps of the training images of every class."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from spectral_priority.data.images import TRAIN, PackedImages
from spectral_priority.data.spectra import class_spectra
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import bar
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5")
    made.add_argument("--label", required=True, help="label column whose classes are compared")
    made.add_argument("--threads", type=int, default=1, help="threads that decode encoded images")
    made.add_argument("--psd", type=Path, required=True, help="psd.h5 to make")
    made.add_argument("--adcs", type=Path, required=True, help="adcs.h5 to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Go through the training images once and write both files."""
    code = expect_code("spectra", arguments.expect_code)
    images = PackedImages(arguments.images, arguments.threads)
    labels = images.labels(arguments.label)
    train = np.flatnonzero(images.split == TRAIN)
    with bar(f"spectra {images.name}/{arguments.label}", 2 * len(train), "images") as shown:
        psd, adcs = class_spectra(
            images, labels, images.classes[arguments.label], train, progress=shown.update
        )
    if psd.attrs["left_out"]:
        logging.warning("classes with fewer than two usable images left out: %s", psd.attrs["left_out"])
    origin = provenance(code=code, label=arguments.label, data_sha256=images.content_sha256)
    facts = {"dataset": images.name, "label": arguments.label}
    write_dataset(arguments.psd, psd.assign_attrs(facts), "data:psd", origin)
    write_dataset(arguments.adcs, adcs.assign_attrs(facts), "data:adcs", origin)


if __name__ == "__main__":
    run(main, arguments())
