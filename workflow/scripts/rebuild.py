"""Make a tier again from its manifest and compare it with what is stored, byte by byte; writes nothing.

Exits with 0 where both are the same, with 2 and the first difference where they are not.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.data.together import load_pairs
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.similarity import read_similarity
from spectral_priority.tiers.rebuild import first_difference, make_again


def main(arguments: argparse.Namespace) -> None:
    """Make it again and compare."""
    expect_code("rebuild", arguments.expect_code)
    manifest, indices = arguments.manifest, arguments.indices or arguments.manifest.with_suffix(".npz")
    stored, images = read_manifest(manifest, indices), PackedImages(arguments.images)
    similarity = duplicates = of = None
    if arguments.similarity:
        similarity = read_similarity(arguments.similarity, images.classes[stored.facts["label"]])
    if arguments.duplicates:
        duplicates = load_pairs(arguments.duplicates, len(images))
    if arguments.of_manifest:
        of = read_manifest(
            arguments.of_manifest, arguments.of_indices or arguments.of_manifest.with_suffix(".npz")
        )
    made = make_again(stored, images, similarity, duplicates, of)
    if difference := first_difference(manifest, indices, stored, made):
        raise InputError(manifest, f"made again it is another: {difference}")
    logging.info(
        "%s: made again, the same to the byte (%s)", stored.facts["tier"], stored.facts["manifest_sha256"]
    )


def arguments() -> argparse.Namespace:
    """Command line."""
    made = parser(__doc__)
    made.add_argument("--manifest", type=Path, required=True, help="manifest of the tier")
    made.add_argument("--indices", type=Path, help="its indices; beside it by default")
    made.add_argument("--images", type=Path, required=True, help="images.h5 of the data set")
    made.add_argument("--similarity", type=Path, help="similarity that its classes were chosen or grouped by")
    made.add_argument("--duplicates", type=Path, help="duplicates.csv of the data set")
    made.add_argument("--of-manifest", type=Path, help="manifest of the tier that a control shuffles")
    made.add_argument("--of-indices", type=Path, help="its indices; beside it by default")
    return made.parse_args()


if __name__ == "__main__":
    run(main, arguments())
