"""Compute where in frequency a planted artefact changes the training images."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from spectral_priority.data.artefact_spectrum import artefact_spectrum, with_and_without
from spectral_priority.data.images import PackedImages
from spectral_priority.fingerprint import expect_code
from spectral_priority.fourier import centroid
from spectral_priority.program import parser, run
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5 of a data set with an artefact")
    made.add_argument("--output", type=Path, required=True, help="artefact.h5 to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Compare the images with what they were before the artefact."""
    code = expect_code("artefact_spectrum", arguments.expect_code)
    images = PackedImages(arguments.images)
    spectrum = artefact_spectrum(*with_and_without(images))
    kind = json.loads(images.attributes["options"])["artefact"]["kind"]
    origin = provenance(code=code, data_sha256=images.content_sha256)
    write_dataset(
        arguments.output, spectrum.assign_attrs(dataset=images.name, artefact=kind), "data:artefact", origin
    )
    logging.info(
        "%s, %s: centroid %.1f cycles/image, %d images",
        images.name,
        kind,
        float(centroid(spectrum["share"].values)),
        int(spectrum["n"]),
    )


if __name__ == "__main__":
    run(main, arguments())
