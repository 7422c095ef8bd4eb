"""Write how alike the classes of a label are: in the hierarchy, by class means in the reference space, or by spectra.

The matrix is symmetric with 1 on the diagonal; higher = more alike (METHODS 7). `hierarchy` (Wu–Palmer) and `path`
are empty off the diagonal for a data set without a hierarchy; `feature` and `spectral` look at the training split.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spectral_priority.config.tiers import SIMILARITIES
from spectral_priority.data.images import TRAIN, PackedImages
from spectral_priority.data.reference import load_reference
from spectral_priority.data.spectra import radial_shares
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.similarity import (
    class_means,
    closeness,
    log_spectra,
    path_similarity,
    write_similarity,
    wu_palmer,
)
from spectral_priority.similarity.points import shares


def main(arguments: argparse.Namespace) -> None:
    """Work out the similarity and write it."""
    expect_code("similarity", arguments.expect_code)
    images, column = PackedImages(arguments.images, arguments.threads), arguments.label
    images.check_column(column)
    names = images.classes[column]
    in_hierarchy = {"hierarchy": wu_palmer, "path": path_similarity}.get(arguments.kind)
    if in_hierarchy:
        where = f"{images.path}: hierarchy of label {column!r}"
        similarity = in_hierarchy(names, images.hierarchy(column), where)
    else:
        index = np.flatnonzero(images.split == TRAIN)
        label = images.labels(column)[index]
        means = class_means(*vectors_of(arguments, images), index, label, len(names))
        for number in np.flatnonzero(np.isnan(means).any(axis=1)):
            logging.warning("class %s has no training image that counts: left empty", names[number])
        similarity = closeness(means if arguments.kind == "feature" else log_spectra(means))
    write_similarity(arguments.output, names, similarity)
    logging.info("%s similarity of %d classes written to %s", arguments.kind, len(names), arguments.output)


def vectors_of(
    arguments: argparse.Namespace, images: PackedImages
) -> tuple[Callable[[np.ndarray], np.ndarray], PackedImages | np.ndarray]:
    """How a vector is made of an image, and of what: radial shares of pixels, or its place in the reference space."""
    if arguments.kind == "spectral":
        return lambda pixels: shares(radial_shares(pixels)), images
    if arguments.reference is None:
        raise InputError("--reference", "is missing", "reference.h5 of the data set, for --kind feature")
    return lambda points: points, load_reference(arguments.reference, images)["points"].values


def arguments() -> argparse.Namespace:
    """Command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5 of the data set")
    made.add_argument("--label", required=True, help="label column")
    made.add_argument("--kind", choices=SIMILARITIES, required=True)
    made.add_argument("--reference", type=Path, help="reference.h5, for --kind feature")
    made.add_argument("--threads", type=int, default=1, help="threads that decode encoded images")
    made.add_argument("--output", type=Path, required=True, help="CSV to write")
    return made.parse_args()


if __name__ == "__main__":
    run(main, arguments())
