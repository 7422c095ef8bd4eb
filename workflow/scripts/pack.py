"""Pack a data set's images into one file, with its checksum and a report of what could not be read."""

from __future__ import annotations

import argparse
import logging
import time
from pathlib import Path

from pydantic import ValidationError

from spectral_priority.config.datasets import Dataset
from spectral_priority.data.pack import pack
from spectral_priority.data.sources import open_source
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import bar
from spectral_priority.store.atomic import write_json, write_text
from spectral_priority.store.checksum import file_sha256
from spectral_priority.store.provenance import provenance


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--dataset", required=True, help="name of the data set")
    made.add_argument("--options", required=True, help="the data set's section of the study, as JSON")
    made.add_argument("--data-root", type=Path, required=True, help="folder that its paths start from")
    made.add_argument("--threads", type=int, default=1, help="threads that decode, beside the one that reads")
    made.add_argument("--images", type=Path, required=True, help="images.h5 to make")
    made.add_argument("--checksum", type=Path, required=True, help="images.h5.sha256 to make")
    made.add_argument("--report", type=Path, required=True, help="pack.json to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Pack, then write checksum and report."""
    code = expect_code("pack", arguments.expect_code)
    try:
        options = Dataset.model_validate_json(arguments.options)
    except ValidationError as error:
        raise InputError("--options", " ".join(str(error).split())) from None
    started = time.monotonic()
    source = open_source(options, arguments.data_root, arguments.threads)
    try:
        with bar(f"pack {arguments.dataset}", source.total, "images") as shown:
            report = pack(
                source,
                arguments.dataset,
                options,
                arguments.images,
                provenance(code=code),
                shown.update,
                arguments.threads,
            )
    finally:
        for fault in source.unreadable:
            logging.warning("unreadable: %s: %s", fault["source"], fault["reason"])
    for warning in report["warnings"]:
        logging.warning("%s", warning)
    write_text(arguments.checksum, f"{file_sha256(arguments.images)}  {arguments.images.name}\n")
    write_json(arguments.report, {**report, "seconds": round(time.monotonic() - started, 1)})
    logging.info("%s: %d images packed into %s", arguments.dataset, report["images"], arguments.images)


if __name__ == "__main__":
    run(main, arguments())
