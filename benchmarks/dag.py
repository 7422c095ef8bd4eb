"""Planning: what a dry run takes by number of runs, for a study that is fresh, half finished and finished.

The study is ImageNet-1k at up to 2,000 runs with four measures each; finished jobs are stood in for by empty files and
Snakemake's own records of them (placeholders.py). No image is needed.
"""

from __future__ import annotations

import copy
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any, NamedTuple

import yaml
from interleaved import compared, row, seconds, take_turns
from results import print_rows

TITLE = "Planning a study of ImageNet-1k: seconds and memory of a dry run, by number of runs and by what is finished"

PROJECT = Path(__file__).resolve().parents[1]
COUNTS = (2, 5, 10, 20, 40, 60, 80, 100, 150, 200)
"""Classes of a tier."""
SEEDS, MEASURES = 5, ("gradient", "band-accuracy", "weight-svd", "dfm")
SIZES = ((3, 2), (4, 3), (5, 5), (10, 5), (10, 10))
"""Counts × draws; times seeds and four recipes: 120 to 2,000 runs."""
STATES = {"fresh": None, "half finished": "half", "finished": "all"}
"""What is planned, and what placeholders.py makes before."""
BARE = "a Snakefile of one empty rule"
STARTED = """
import os, sys, snakemake.cli
try:
    snakemake.cli.main(sys.argv[1:])
finally:
    print(os.environ["SPECTRAL_PRIORITY_STARTED"], file=sys.stderr)
"""


class Planned(NamedTuple):
    """One dry run: seconds by the clock and of the processor, peak memory in MB, jobs still to run."""

    wall: float
    processor: float
    memory: float
    jobs: int


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: 120 to 500 runs instead of 120 to 2,000."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, dict[int, Planned]] = {state: {} for state in STATES}
        reading: dict[int, float] = {}
        for counts, draws in SIZES[:3] if quick else SIZES:
            study = made_study(counts, draws)
            runs = counts * draws * SEEDS * len(study["recipes"])
            place = folder / str(runs)
            place.mkdir()
            (place / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
            reading[runs] = _finished(_snakemake(place, "--list-rules")).processor
            for state, made in STATES.items():
                if made:
                    script = str(PROJECT / "benchmarks" / "placeholders.py")
                    _finished([sys.executable, script, made, *_arguments(place, "--cores", "2")])
                found[state][runs] = _finished(_snakemake(place, "--dry-run"))
        rows = [line for state, sizes in found.items() for line in _rows(state, sizes, reading)]
        return [*rows, *_reading(folder, max(reading), 3 if quick else 5)]


def made_study(counts: int, draws: int) -> dict[str, Any]:
    """Return config/studies/imagenet.yaml with other tiers: so many class counts and draws, four recipes.

    >>> study = made_study(10, 10)
    >>> len(study["tiers"]["count"]["counts"]), len(study["recipes"]), len(study["measures"])
    (10, 4, 4)
    """
    study = yaml.safe_load((PROJECT / "config" / "studies" / "imagenet.yaml").read_text(encoding="utf-8"))
    recipes = {name: study["recipes"][name] for name in ("base", "resnet50")}
    recipes["weak-decay"] = {**copy.deepcopy(recipes["base"]), "weight_decay": 1e-5}
    recipes["plain"] = {**copy.deepcopy(recipes["base"]), "augment": "none"}
    family = {**study["tiers"]["count"], "counts": list(COUNTS[:counts]), "draws": draws}
    del family["recipes"]
    return {
        **{key: study[key] for key in ("question", "datasets", "complexity")},
        "study": "imagenet-made",
        "tiers": {"count": family},
        "recipes": recipes,
        "measures": {name: {"threads": 4} for name in MEASURES},
        "seeds": SEEDS,
    }


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the exponent of growth: the slope of log cost over log size.

    >>> round(exponent([100, 200, 400], [3.0, 6.0, 12.0]), 6)
    1.0
    """
    return linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def _rows(state: str, sizes: dict[int, Planned], reading: dict[int, float]) -> list[dict]:
    """Rows of one state. Growth is that of processor time, without reading the Snakefile."""
    rows, costs = [], {}
    for runs, plan in sizes.items():
        costs[runs] = plan.processor - reading[runs]
        half = next((fewer for fewer in costs if 0.45 * runs < fewer < 0.55 * runs), None)
        ratio = {"ratio_to": f"{half:,} runs", "ratio": costs[runs] / costs[half]} if half else {}
        rows.append(row(f"{state}, {runs:,} runs, {plan.jobs:,} jobs to run: planning them",
                        costs[runs], "s of processor time", **ratio))  # fmt: skip
    most = max(sizes)
    return [
        *rows,
        row(f"{state}: exponent of growth, over all sizes", exponent(list(costs), list(costs.values())), ""),
        row(f"{state}: planning, of one run", costs[most] / most * 1000, "ms of processor time"),
        row(f"{state}, {most:,} runs: the whole dry run, by the clock", sizes[most].wall, "s", "60 s allowed",
            sizes[most].wall / 60),
        row(f"{state}, {most:,} runs: the whole dry run", sizes[most].processor, "s of processor time"),
        row(f"{state}, {most:,} runs: peak memory", sizes[most].memory, "MB", "2 GB allowed",
            sizes[most].memory / 2000),
    ]  # fmt: skip


def _reading(folder: Path, runs: int, rounds: int) -> list[dict]:
    """Rows of what each cluster job pays before its program starts."""
    place = folder / str(runs)
    (folder / "bare.smk").write_text('rule bare:\n    output: "made"\n    shell: "touch {output}"\n')
    text = subprocess.run([sys.executable, "-c", STARTED, *_arguments(place, "--list-rules")],
                          capture_output=True, text=True, cwd=PROJECT).stderr  # fmt: skip
    told = json.loads(text.strip().splitlines()[-1])
    told.pop("by", None)  # that Snakemake has ended, and jobs refuse where the one that submitted them has
    started = {"SPECTRAL_PRIORITY_STARTED": json.dumps(told)}
    asked = ("--cores", "1", "--dry-run", "--force", "--nolock", "--mode", "subprocess")
    job = "measure:instance=gradient,recipe=base,seed=0,tier=count-2-d0"
    bare = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "bare.smk"), *asked]
    bare += ["--directory", str(folder), "--target-jobs", "bare:", "--allowed-rules", "bare"]
    ours = _snakemake(place, *asked[2:], "--target-jobs", job, "--allowed-rules", "measure")
    name = f"a job of {runs:,} runs: Snakefile, study and the job's own plan"
    turns = take_turns({BARE: lambda: _finished(bare), name: lambda: _finished(ours, started)}, rounds)
    return [
        row(BARE, seconds(turns[BARE]), "s"),
        row(name, seconds(turns[name]), "s", **compared(turns[name], turns[BARE], BARE)),
    ]


def _snakemake(place: Path, *arguments: str) -> list[str]:
    cores = () if "--list-rules" in arguments else ("--cores", "2")
    return [sys.executable, "-m", "snakemake", *_arguments(place, *cores, *arguments)]


def _arguments(place: Path, *arguments: str) -> list[str]:
    start = ["--snakefile", str(PROJECT / "Snakefile"), "--directory", str(place), "--quiet", "rules", "host"]
    return [*start, *arguments, "--configfile", str(place / "study.yaml")]


def _finished(command: list[str], environment: dict[str, str] | None = None) -> Planned:
    """Run a command to its end; raise where it fails."""
    with tempfile.TemporaryFile("w+") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=PROJECT,
                                   env={**os.environ, **(environment or {})})  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)[:300]} … failed:\n{text[-3000:]}")
    total = re.search(r"^total\s+(\d+)$", text, re.MULTILINE)
    memory = used.ru_maxrss * 1024 / 1e6
    return Planned(wall, used.ru_utime + used.ru_stime, memory, int(total[1]) if total else 0)


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
