"""Write a study's report: one page of HTML that needs no network."""

import argparse
import logging
from pathlib import Path

from spectral_priority.config import load_study
from spectral_priority.figures.tables import OTHER_TABLES, read_tables
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.report.page import build_page
from spectral_priority.store.atomic import write_text


def arguments() -> argparse.Namespace:
    """Read the command line."""
    options = parser(__doc__)
    options.add_argument("--study", required=True, type=Path, help="the resolved study file")
    options.add_argument(
        "--results", required=True, type=Path, help="the study's folder, with tiers/ and runs/"
    )
    options.add_argument("--figures-from", required=True, type=Path, help="folder of the figures' SVG files")
    for name in ("priority", "complexity", "learning", "correlations", "contrasts", "claims"):
        options.add_argument(f"--{name}", required=True, type=Path, help=f"the study's {name} table")
    for name in ("mixed", "adjusted", "tier_alignment"):
        options.add_argument(f"--{name.replace('_', '-')}", type=Path, help=f"the study's {name} table")
    for name, where in OTHER_TABLES.items():
        options.add_argument(
            f"--{name.replace('_', '-')}", type=Path, help=f"the study's {name}.csv, {where}"
        )
    options.add_argument("--profiles", type=Path, help="profiles.h5, for the explorer")
    options.add_argument(
        "--images", nargs="*", default=[], type=Path, help="images.h5 of the data sets, in the study's order"
    )
    options.add_argument("--audits", nargs="*", default=[], type=Path, help="audit.json of the data sets")
    options.add_argument("--output", required=True, type=Path, help="page to make")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read the tables, build the page, write it."""
    expect_code("report", arguments.expect_code)
    tables = read_tables(
        load_study(arguments.study),
        priority=arguments.priority,
        complexity=arguments.complexity,
        learning=arguments.learning,
        correlations=arguments.correlations,
        contrasts=arguments.contrasts,
        claims=arguments.claims,
        mixed=arguments.mixed,
        adjusted=arguments.adjusted,
        tier_alignment=arguments.tier_alignment,
        **{name: getattr(arguments, name) for name in OTHER_TABLES},
    )
    page = build_page(
        tables,
        arguments.results,
        arguments.figures_from,
        arguments.audits,
        arguments.profiles,
        dict(zip(tables.study.datasets, arguments.images, strict=True)) if arguments.images else None,
    )
    write_text(arguments.output, page)
    logging.info("%s: %d kB", arguments.output, len(page) // 1000)


if __name__ == "__main__":
    run(main, arguments())
