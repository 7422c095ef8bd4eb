"""Choose the classes and images of one tier and write its manifest (METHODS 8)."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spectral_priority.config.tiers import Control, TierFamily
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest, write_manifest
from spectral_priority.data.together import load_pairs
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.similarity import read_similarity
from spectral_priority.tiers import make_control, make_tier


def main(arguments: argparse.Namespace) -> None:
    """Choose, and write the manifest and its indices."""
    expect_code("tier", arguments.expect_code)
    try:
        options = TypeAdapter(TierFamily).validate_json(arguments.options)
    except ValidationError as error:
        raise InputError("--options", " ".join(str(error).split())) from None
    images = PackedImages(arguments.images)
    place = (arguments.family, arguments.level, arguments.draw)
    if isinstance(options, Control):
        if arguments.of_manifest is None or arguments.of_indices is None:
            raise InputError(
                f"tiers.{arguments.family}.of",
                "no tier was given to shuffle",
                f"the manifest of {options.of}",
                "give --of-manifest and --of-indices",
            )
        made = make_control(
            images, options, read_manifest(arguments.of_manifest, arguments.of_indices), *place
        )
    else:
        similarity = None
        if arguments.similarity:
            similarity = read_similarity(arguments.similarity, images.classes.get(options.label, []))
        duplicates = load_pairs(arguments.duplicates, len(images)) if arguments.duplicates else None
        made = make_tier(images, options, *place, similarity, duplicates)
    if made.facts["tier"] != arguments.tier:
        raise InputError(
            "--tier", f"found {arguments.tier!r}", f"{made.facts['tier']!r}: <family>-<level>-d<draw>"
        )
    write_manifest(arguments.manifest, arguments.indices, made.facts, made.index, made.label)
    logging.info(
        "%s: %d classes, %s images, %d of validation and probe from the held-out split",
        arguments.tier,
        made.number_of_classes,
        " + ".join(f"{number} {part}" for part, number in made.facts["images"].items()),
        made.facts["held_out"],
    )
    apart = made.facts["apart"]
    if apart["left_out"] or apart["contradicting"]:
        logging.info(
            "left out: %d images that belong together with chosen ones, %d that are also there under another class",
            apart["left_out"],
            apart["contradicting"],
        )
    if made.facts["excluded"]:
        logging.warning(
            "classes with too few images, or without the similarity, left out: %s",
            ", ".join(made.facts["excluded"]),
        )


def arguments() -> argparse.Namespace:
    """Command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5 of the data set")
    made.add_argument(
        "--similarity", type=Path, help="similarity of the label's classes, for families that use one"
    )
    made.add_argument("--duplicates", type=Path, help="pairs of images that show the same: duplicates.csv")
    made.add_argument("--of-manifest", type=Path, help="manifest of the tier that a control shuffles")
    made.add_argument("--of-indices", type=Path, help="its indices")
    made.add_argument("--tier", required=True, help="name of the tier: <family>-<level>-d<draw>")
    made.add_argument("--family", required=True, help="name of the family in the study")
    made.add_argument("--level", required=True, help="level of the family")
    made.add_argument("--draw", type=int, required=True, help="number of the draw, from 0")
    made.add_argument(
        "--options", required=True, metavar="JSON", help="the family's options, with their kind"
    )
    made.add_argument("--manifest", type=Path, required=True, help="JSON to write")
    made.add_argument("--indices", type=Path, required=True, help="npz to write")
    return made.parse_args()


if __name__ == "__main__":
    run(main, arguments())
