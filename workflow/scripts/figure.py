"""Draw one figure of a study: SVG, PNG, and the numbers behind it as CSV.

Of a figure that there is one of per tier, all are drawn, as <folder>/<figure>-<tier>.{svg,png,csv}, or one with --tier.
"""

import argparse
import logging
from importlib import import_module
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

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
    options.add_argument("--over-training", type=Path, help="over_training.csv, for figures of it")
    options.add_argument(
        "--results", type=Path, help="the folder results/, for figures of other result files"
    )
    options.add_argument("--folder", type=Path, help="folder to make the figures of all tiers in")
    for name in ("svg", "png", "csv"):
        options.add_argument(f"--{name}", type=Path, help="file to make, of one figure")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read the tables, draw, write."""
    module = FIGURES[arguments.figure]
    expect_code("figure", arguments.expect_code, roots=[module])
    one = arguments.figure not in PER_TIER or arguments.tier is not None
    if arguments.figure not in PER_TIER and arguments.tier is not None:
        raise InputError(
            "--tier",
            f"found {arguments.tier!r}, but the figure {arguments.figure} shows all tiers and takes none",
        )
    wanted = ("svg", "png", "csv") if one else ("folder",)
    for name in wanted:
        if getattr(arguments, name) is None:
            raise InputError(f"--{name}", "found None", f"where to draw {arguments.figure}")

    tables = read_tables(
        load_study(arguments.study),
        priority=arguments.priority,
        complexity=arguments.complexity,
        learning=arguments.learning,
        profiles=arguments.profiles,
        correlations=arguments.correlations,
        contrasts=arguments.contrasts,
        claims=arguments.claims,
        over_training=arguments.over_training,
        results=arguments.results,
        **{name: getattr(arguments, name) for name in OTHER_TABLES},
    )
    draw = import_module(f"spectral_priority.{module}").draw
    if one:
        drawn = draw(tables, arguments.tier) if arguments.tier else draw(tables)
        _write(drawn, arguments.svg, arguments.png, arguments.csv)
        return
    for tier in tables.study.list_tiers():
        files = (
            arguments.folder / f"{arguments.figure}-{tier.name}.{kind}" for kind in ("svg", "png", "csv")
        )
        _write(draw(tables, tier.name), *files)


def _write(drawn: tuple[Figure, pd.DataFrame], svg: Path, png: Path, csv: Path) -> None:
    figure, data = drawn
    save(figure, data, svg, png, csv)
    logging.info("%s: %s", svg, figure.title_text)


if __name__ == "__main__":
    run(main, arguments())
