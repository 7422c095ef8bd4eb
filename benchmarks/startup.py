"""Start-up: how long each program takes until it can begin to work, and how much of the demo's time that is.

A program's start-up is everything that it imports, also within the functions that it calls on its way to work.
"""

from __future__ import annotations

import ast
import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from interleaved import compared, row, seconds, take_turns
from made_data import demo_options, make_task, pack_images
from results import print_rows

from spectral_priority.config.recipe import Recipe

TITLE = "Start-up of the programs, and its share of the demo's time"

PROJECT = Path(__file__).resolve().parents[1]
PROGRAMS = sorted(path.stem for path in (PROJECT / "workflow" / "scripts").glob("*.py"))
FOUND_BY_NAME = {
    "measure": "spectral_priority.measures.gradient",
    "figure": "spectral_priority.figures.profiles",
}
"""Modules that a program imports by a name that it is given."""
TORCH, BARE = "python -c 'import torch'", "python -c pass"
RULES = {"report_page": "report"}
"""Rules that are not called as their program is."""


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: fewer turns, and the demo is not run."""
    with tempfile.TemporaryDirectory() as folder:
        listing = _snakemake(Path(folder), "--list-rules")
        planning = _snakemake(Path(folder), "--dry-run", "--quiet", "all")
        cases: dict[str, Callable[[], object]] = {BARE: _python("pass"), TORCH: _python("import torch")}
        cases |= {f"{program}.py": _python(_imports(program)) for program in PROGRAMS}
        cases["importing Snakemake"] = _python("import snakemake.cli")
        cases["reading the Snakefile"] = lambda: _done(listing)
        cases["reading it and planning the demo"] = lambda: _done(planning)
        cases |= _first_steps(Path(folder))
        times = take_turns(cases, 3 if quick else 9)
        rows = [
            row(name, seconds(turns), "s", **(compared(turns, times[TORCH], TORCH) if name != TORCH else {}))
            for name, turns in times.items()
        ]
        if not quick:
            rows += _share_of_demo(
                Path(folder, "demo"), {program: seconds(times[f"{program}.py"]) for program in PROGRAMS}
            )
    return rows


def _imports(program: str) -> str:
    """Return code that imports all that a program does, wherever it does it."""
    file = PROJECT / "workflow" / "scripts" / f"{program}.py"
    later = [
        ast.unparse(node)
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if program in FOUND_BY_NAME:
        later.append(f"import {FOUND_BY_NAME[program]}")
    return "\n".join(["import runpy", f"runpy.run_path({str(file)!r}, run_name='imported')", *later])


def _python(code: str) -> Callable[[], object]:
    return lambda: _done([sys.executable, "-c", code])


def _snakemake(folder: Path, *arguments: str) -> list[str]:
    """Return the command for the demo, with its results below a folder."""
    start = [sys.executable, "-m", "snakemake", "--snakefile", str(PROJECT / "Snakefile")]
    return [*start, "--directory", str(folder), *arguments]


def _done(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)[:200]} … failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


def _first_steps(folder: Path) -> dict[str, Callable[[], object]]:
    """Return cases that run the train program until its first batch, and until its first step."""
    images = pack_images(folder / "images", 32, "grey", train=3840, held_out=320)
    make_task(images, Recipe())
    command = [sys.executable, str(PROJECT / "benchmarks" / "first_step.py")]
    arguments = {
        "images": images.path,
        "manifest": images.path.with_name("tier.json"),
        "indices": images.path.with_name("tier.npz"),
        "recipe": "made",
        "options": json.dumps(demo_options()),
        "seed": 0,
        **{name: folder / name for name in ("work", "checkpoints", "history", "class-history", "run")},
    }
    given = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]

    def until(what: str) -> Callable[[], object]:
        def case() -> None:
            shutil.rmtree(folder / "work", ignore_errors=True)
            _done([*command, what, *given])

        return case

    return {
        "train.py until its first batch (the untrained model is evaluated before)": until("batch"),
        "train.py until its first step is done": until("step"),
    }


def _share_of_demo(folder: Path, startup: dict[str, float]) -> list[dict]:
    """Run the demo and tell which part of its jobs' time is start-up."""
    folder.mkdir()
    plan = _done(_snakemake(folder, "--dry-run", "--quiet", "host"))
    _done(_snakemake(folder, "--cores", "2", "--quiet", "all"))
    jobs = {
        RULES.get(rule, rule): int(number)
        for rule, number in re.findall(r"^(\w+) +(\d+)$", plan, re.MULTILINE)
    }
    total = 0.0
    for file in (folder / "results" / "benchmarks").rglob("*.tsv"):
        with file.open(encoding="utf-8", newline="") as opened:
            total += sum(float(line["s"]) for line in csv.DictReader(opened, delimiter="\t"))
    over, rows, whole = "the demo's job time", [], 0.0
    for program, once in startup.items():
        spent = jobs.get(program, 0) * once
        whole += spent
        if spent:
            what = f"demo: {jobs[program]} × start-up of {program}.py"
            rows.append(row(what, spent, "s", over, spent / total))
    return [
        row("demo: time of all jobs together", total, "s"),
        *rows,
        row("demo: all start-ups together", whole, "s", over, whole / total),
    ]


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
