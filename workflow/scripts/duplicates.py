"""Find the images of a data set that show the same: identical pixels, and near-duplicates."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from spectral_priority.data.find_duplicates import find_duplicates
from spectral_priority.data.images import PackedImages
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import bar


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5")
    made.add_argument("--threads", type=int, default=1, help="threads that decode encoded images")
    made.add_argument("--pairs", type=Path, required=True, help="duplicates.csv to make")
    made.add_argument("--twins", type=Path, required=True, help="twins.csv to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Go through the images and write both tables."""
    expect_code("duplicates", arguments.expect_code)
    images = PackedImages(arguments.images, arguments.threads)
    with bar(f"duplicates {images.name}", len(images), "images") as shown:
        found = find_duplicates(images, progress=shown.update)
    found.write(arguments.pairs, arguments.twins)
    logging.info(
        "%d images have an identical one, %d a near-duplicate; %d of all lie in both splits",
        int((found.twins > 0).sum()),
        int((found.near > 0).sum()),
        int(found.across.sum()),
    )


if __name__ == "__main__":
    run(main, arguments())
