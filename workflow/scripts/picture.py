"""Draw one result file: what one measure found, as SVG, PNG, and the numbers behind it as CSV."""

import argparse
import logging
from pathlib import Path

from spectral_priority.figures.result import draw
from spectral_priority.figures.save import save
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.store.netcdf import read_dataset


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    options.add_argument("--result", required=True, type=Path, help="the result file")
    options.add_argument("--kind", required=True, help="what it holds: measure:gradient, data:psd, …")
    options.add_argument("--of", required=True, help="what was measured, for the title")
    for name in ("svg", "png", "csv"):
        options.add_argument(f"--{name}", required=True, type=Path, help="file to make")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read, draw, write."""
    expect_code("picture", arguments.expect_code)
    dataset = read_dataset(arguments.result, arguments.kind)
    figure, data = draw(dataset, arguments.kind.partition(":")[2], arguments.of)
    save(figure, data, arguments.svg, arguments.png, arguments.csv)
    logging.info("%s: %s", arguments.svg, figure.title_text)


if __name__ == "__main__":
    run(main, arguments())
