"""What the shipped correlate program says of a made study, and whether it is right."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from made_study import DIFFERENCE, SLOPES, Design, study_of, write_drawn, write_fixed

from spectral_priority.store.tables import read_csv

PROGRAM = Path(__file__).resolve().parents[1] / "workflow" / "scripts" / "correlate.py"
READ = ("priority", "measures", "complexity", "learning")
MADE = ("correlations", "mixed", "adjusted", "contrasts", "claims")
LEVEL = 0.05
EACH = 4
"""Every fourth study also gets its mixed models and adjusted slopes."""
QUESTIONS = {"primary-1": "regroup", "primary-2": "similar", "nested": "count"}
"""Question → family. `nested` is the slope in the nested family, an exploratory row."""


def arguments_of(folder: Path) -> dict[str, Path]:
    """The program's arguments: a study's file and tables in one folder."""
    return {"study": folder / "config.yaml", **{name: folder / f"{name}.csv" for name in (*READ, *MADE)}}


def shipped_program():
    """Load the program; its fingerprint of the code, half a second, is taken as checked."""
    spec = importlib.util.spec_from_file_location("correlate", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    program.expect_code = lambda *_: None
    return program


def run_studies(
    folder: Path, design: Design, effect: float, numbers: range, permutations: int, check: bool = False
) -> pd.DataFrame:
    """Make studies, put each through the program, and return what it said.

    Parameters
    ----------
    folder : path
        For the files of one study at a time.
    design, effect, numbers
        As `write_drawn` takes them, a study per number.
    permutations : int
        Of the study file.
    check : bool
        Also start the program by itself for the first study, and refuse other tables than those made here.

    Returns
    -------
    DataFrame
        A row per study × question, with the columns of `_outcome`.
    """
    study, program = study_of(design, permutations), shipped_program()
    write_fixed(folder, study)
    given, rows = arguments_of(folder), []
    for number in numbers:
        write_drawn(folder, design, study, effect, number)
        models = number % EACH == numbers[0] % EACH  # most of the time is theirs
        asked = given if models else {**given, "mixed": None, "adjusted": None}
        program.main(argparse.Namespace(**asked, class_learning=None, expect_code=None))
        if check and number == numbers[0]:
            _same_by_itself(given)
        rows += _outcomes(given, effect, models)
    return pd.DataFrame(rows).assign(design=design.name, effect=effect)


def _outcomes(given: dict[str, Path], effect: float, models: bool) -> list[dict]:
    table = read_csv(given["correlations"], [])
    mixed = read_csv(given["mixed"], []) if models else pd.DataFrame({"hypothesis": []})
    rows = []
    for question, family in QUESTIONS.items():
        if question == "nested":
            same = (table["family"] == family) & (table["complexity"] == "log2_classes")
            found = table[same & (table["reading"] == "matched-loss")]
            own = mixed.iloc[:0]
        else:
            found = table[table["hypothesis"] == question]
            own = mixed[mixed["hypothesis"] == question]
        if len(found):
            rows.append({"question": question, **_outcome(found.iloc[0], own, effect * SLOPES[family])})
    claim = read_csv(given["claims"], []).iloc[0]
    held = str(claim["held"]).lower() == "true"
    truth = {"question": "claim", "true": effect * DIFFERENCE, "answered": True, "rejected": held}
    return [*rows, truth]


def _outcome(row: pd.Series, models: pd.DataFrame, true: float) -> dict[str, object]:
    """Of one slope: is there an interval (`answered`), does each interval hold the truth, is it called significant?"""
    answered = bool(np.isfinite(row["lower"]))
    found = {
        "true": true,
        "answered": answered,
        "slope": row["slope"],
        "t": row["lower"] <= true <= row["upper"] if answered else None,
        "rejected": bool(row["p_adjusted"] < LEVEL) if answered else None,
        "p_t": row["p_t"],
        "p_spearman": row["p_spearman"],
        "detectable": row["detectable_slope"],
    }
    if answered and np.isfinite(row["bootstrap_lower"]):
        found["bootstrap"] = row["bootstrap_lower"] <= true <= row["bootstrap_upper"]
    if answered and len(models):
        model = models.iloc[0]
        found |= {"model": model["model"], "mixed": model["lower"] <= true <= model["upper"]}
    return found


def _same_by_itself(given: dict[str, Path]) -> None:
    """Start the program as the workflow does, and compare its tables byte by byte."""
    before = {name: given[name].read_bytes() for name in MADE}
    words = [word for name, path in given.items() for word in (f"--{name}", str(path))]
    subprocess.run([sys.executable, str(PROGRAM), *words], check=True, capture_output=True)
    other = [name for name in MADE if given[name].read_bytes() != before[name]]
    if other:
        raise RuntimeError(f"the program by itself makes other tables: {', '.join(other)}")
