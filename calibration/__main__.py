"""Put made studies through the shipped correlate program and say how often it is right: docs/calibration.md.

python calibration                       1,000 studies without effect, 300 with each effect, for each design
python calibration --studies 100         fewer (30 with each effect)
python calibration --designs demo        some of the designs; others keep the rows of docs/calibration.csv
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from pathlib import Path

import pandas as pd
from made_study import DESIGNS
from page import write_page
from rates import rates
from run_studies import run_studies

from spectral_priority.store.tables import write_csv

DOCS = Path(__file__).resolve().parents[1] / "docs"
EFFECTS = (0.0, 0.5, 1.0)
"""Times the demo's."""
WITH_EFFECT = 0.3
"""Studies with an effect, as a part of those without."""
PERMUTATIONS = 199


def main() -> None:
    """Run, count, write."""
    logging.basicConfig(level=logging.ERROR)
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--studies", type=int, default=1000, help="studies without effect of each design")
    options.add_argument("--designs", nargs="*", default=[design.name for design in DESIGNS])
    options.add_argument("--output", type=Path, default=DOCS, help="folder of calibration.{md,csv,svg}")
    given = options.parse_args()
    table = given.output / "calibration.csv"
    parts = []
    for design in (one for one in DESIGNS if one.name in given.designs):
        for effect in EFFECTS[:1] if design.uneven else EFFECTS:
            count = given.studies if effect == 0 else max(1, round(WITH_EFFECT * given.studies))
            started = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                parts.append(
                    run_studies(Path(folder), design, effect, range(count), PERMUTATIONS, check=effect == 0)
                )
            print(f"{design.name}, effect {effect}: {count} studies, {time.monotonic() - started:.0f} s")
        made = rates(pd.concat(parts, ignore_index=True))
        kept = pd.read_csv(table) if table.exists() else made.iloc[:0]
        kept = kept[~kept["design"].isin(made["design"])]
        names = [one.name for one in DESIGNS]
        both = pd.concat([part for part in (kept, made) if len(part)], ignore_index=True)
        both = both.sort_values("design", key=lambda column: column.map(names.index), kind="stable")
        write_csv(table, both.reset_index(drop=True))
        write_page(both, given.output, PERMUTATIONS)


if __name__ == "__main__":
    main()
