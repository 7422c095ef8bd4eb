"""Audit a data set: what a careful reviewer asks before believing a frequency result."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd

from spectral_priority.audit.page import build_page
from spectral_priority.audit.whole import audit
from spectral_priority.config.audit import Audit
from spectral_priority.data.duplicates import Duplicates
from spectral_priority.data.images import PackedImages
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.progress import bar
from spectral_priority.store.atomic import write_json, write_text
from spectral_priority.store.provenance import provenance
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="images.h5")
    made.add_argument("--pairs", type=Path, required=True, help="duplicates.csv")
    made.add_argument("--twins", type=Path, required=True, help="twins.csv")
    made.add_argument("--options", required=True, help="the study's audit section, as JSON")
    made.add_argument("--threads", type=int, default=1, help="threads that decode encoded images")
    made.add_argument("--json", type=Path, required=True, help="audit.json to make: findings and all numbers")
    made.add_argument("--csv", type=Path, required=True, help="audit.csv to make: a row per label and class")
    made.add_argument("--page", type=Path, required=True, help="audit.html to make")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Ask every question, write the answers and the page."""
    code = expect_code("audit", arguments.expect_code)
    images = PackedImages(arguments.images, arguments.threads)
    options = Audit.model_validate_json(arguments.options)
    duplicates = Duplicates.read(arguments.pairs, arguments.twins, len(images))
    with bar(f"audit {images.name}", None, "images") as shown:
        found = audit(images, duplicates, options, progress=shown.update)
    answers = found.as_json()
    rows = [
        {"label": column, **{key: value for key, value in row.items() if key != "density"}}
        for column, label in answers["labels"].items()
        for row in label["classes"]
    ]
    page = build_page(found, images, duplicates)
    write_csv(arguments.csv, pd.DataFrame(rows))
    write_json(arguments.json, {**answers, "provenance": provenance(code=code)})
    write_text(arguments.page, page)
    for finding in found.findings:
        logging.warning("%s: %s", finding.severity, finding.text)
    logging.info("%s: %d findings", arguments.page, len(found.findings))


if __name__ == "__main__":
    run(main, arguments())
