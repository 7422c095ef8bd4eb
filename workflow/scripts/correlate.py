"""Correlate the priority of a study's tiers with their complexity, compare its recipes, and judge its claims.

The primary hypotheses also get a mixed model, and their slopes with one covariate held.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd

from spectral_priority.config import load_study
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.statistics.adjusted import adjusted
from spectral_priority.statistics.claims import evaluate
from spectral_priority.statistics.contrasts import contrasts
from spectral_priority.statistics.correlation import correlate
from spectral_priority.statistics.hypotheses import with_hypotheses
from spectral_priority.statistics.mixed import mixed_models
from spectral_priority.statistics.tables import (
    read_class_learning,
    read_complexity,
    read_learning,
    read_priority,
    with_words,
)
from spectral_priority.store.tables import write_csv


def arguments() -> argparse.Namespace:
    """Command line."""
    options = parser(__doc__)
    options.add_argument("--priority", type=Path, required=True, help="priority.csv of the study")
    options.add_argument("--measures", type=Path, required=True, help="measures.csv of the study")
    options.add_argument("--complexity", type=Path, required=True, help="complexity.csv of the study")
    options.add_argument("--learning", type=Path, required=True, help="learning.csv of the study")
    options.add_argument(
        "--class-learning",
        type=Path,
        help="its class_learning.csv, where it asks which class is learned first",
    )
    options.add_argument("--study", type=Path, required=True, help="resolved study file")
    options.add_argument("--correlations", type=Path, required=True, help="CSV to write")
    options.add_argument("--mixed", type=Path, help="CSV to write: mixed models of the primary hypotheses")
    options.add_argument("--adjusted", type=Path, help="CSV to write: their slopes with a covariate held")
    options.add_argument("--contrasts", type=Path, required=True, help="CSV to write")
    options.add_argument("--claims", type=Path, required=True, help="CSV to write")
    return options.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Read the tables, correlate, compare, judge, write."""
    expect_code("correlate", arguments.expect_code)
    study = load_study(arguments.study)
    priority, learning = read_priority(arguments.priority), read_learning(arguments.learning)
    complexity = read_complexity(arguments.complexity)
    table = with_hypotheses(correlate(priority, complexity, study.statistics), study)
    write_csv(arguments.correlations, table)
    if arguments.mixed:
        write_csv(arguments.mixed, mixed_models(table, priority, complexity, study.statistics))
    if arguments.adjusted:
        held = adjusted(table, priority, complexity, learning, study.statistics)
        write_csv(arguments.adjusted, held)
    measures = read_priority(arguments.measures)
    scalars = pd.concat([priority, measures], ignore_index=True) if len(measures) else priority
    write_csv(arguments.contrasts, contrasts(study, scalars, learning))
    learned = arguments.class_learning and read_class_learning(arguments.class_learning)
    claims = evaluate(study, scalars, learning, learned)
    write_csv(arguments.claims, with_words(claims, "held"))
    for row in table[table["hypothesis"].str.startswith("primary")].itertuples():
        logging.info("%s: slope %s %s; %s", row.hypothesis, row.slope, row.unit, row.note or "")
    for row in claims.itertuples():
        logging.info("claim %s: %s (%s)", "held" if row.held else "failed", row.claim, row.detail)


if __name__ == "__main__":
    run(main, arguments())
