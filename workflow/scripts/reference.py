"""Fit the reference space: principal components of the pixels of the whole data set."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spectral_priority.config.statistics import Reference
from spectral_priority.data.images import PackedImages
from spectral_priority.data.reference import KIND, fit_reference, with_points
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.similarity.points import blocks
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5")
    made.add_argument("--options", required=True, help="complexity.reference of the study, as JSON")
    made.add_argument("--threads", type=int, default=1, help="threads that decode encoded images")
    made.add_argument("--output", type=Path, required=True, help="reference.h5 to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Fit and write the reference space."""
    code = expect_code("reference", arguments.expect_code)
    options = Reference.model_validate_json(arguments.options)
    images = PackedImages(arguments.images, arguments.threads)
    chosen = np.random.default_rng(options.seed).permutation(len(images))[: options.images]
    with images.at_hand(np.sort(chosen), arguments.output.parent) as (pixels, index):
        reference = fit_reference(pixels, options.components, options.seed, index)
    every = np.arange(len(images))
    pixels = (images.read(every[part]) for part in blocks(images, every))
    reference = with_points(reference, pixels, "pixels, flattened (y, x, channel), in [0, 1]", "L2 of pixels")
    origin = provenance(code=code, options=options.model_dump(mode="json"), data_sha256=images.content_sha256)
    write_dataset(arguments.output, reference, KIND, origin)


if __name__ == "__main__":
    run(main, arguments())
