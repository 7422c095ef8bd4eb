"""Draw one figure of a study: SVG, PNG, and the numbers behind it as CSV."""

import argparse
import logging
from importlib import import_module
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.errors import InputError
from spectral_priority.figures import FIGURES, PER_TIER
from spectral_priority.figures.save import save
from spectral_priority.figures.tables import OTHER_TABLES, read_tables
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    options.add_argument("--figure", required=True, choices=FIGURES, help="which figure")
    options.add_argument("--tier", help=f"tier, for {', '.join(PER_TIER)}")
    for name in (
        "study",
        "priority",
        "complexity",
        "learning",
        "profiles",
        "correlations",
        "contrasts",
        "claims",
    ):
        options.add_argument(f"--{name}", required=True, type=Path, help=f"the study's {name} file")
    for name, where in OTHER_TABLES.items():
        options.add_argument(
            f"--{name.replace('_', '-')}", type=Path, help=f"the study's {name}.csv, {where}"
        )
    for name in ("svg", "png", "csv"):
        options.add_argument(f"--{name}", required=True, type=Path, help="file to make")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read the tables, draw, write."""
    module = FIGURES[arguments.figure]
    expect_code("figure", arguments.expect_code, roots=[module])
    if (arguments.figure in PER_TIER) != (arguments.tier is not None):
        needs = "needs one" if arguments.figure in PER_TIER else "shows all tiers and takes none"
        raise InputError("--tier", f"found {arguments.tier!r}, but the figure {arguments.figure} {needs}")

    tables = read_tables(
        load_study(arguments.study),
        priority=arguments.priority,
        complexity=arguments.complexity,
        learning=arguments.learning,
        profiles=arguments.profiles,
        correlations=arguments.correlations,
        contrasts=arguments.contrasts,
        claims=arguments.claims,
        **{name: getattr(arguments, name) for name in OTHER_TABLES},
    )
    draw = import_module(f"spectral_priority.{module}").draw
    figure, data = draw(tables, arguments.tier) if arguments.tier else draw(tables)
    save(figure, data, arguments.svg, arguments.png, arguments.csv)
    logging.info("%s: %s", arguments.svg, figure.title_text)


if __name__ == "__main__":
    run(main, arguments())
