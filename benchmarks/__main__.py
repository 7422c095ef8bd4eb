"""Run benchmarks, all or those named, and write their rows to benchmarks/RESULTS.md.

python benchmarks                       all of them
python benchmarks training startup      some of them
python benchmarks --quick gradient      fewer turns, smaller cases
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from machine import machine, other_work, versions
from results import print_rows, replace_section, section

from spectral_priority.store.atomic import write_text

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "RESULTS.md"
BENCHMARKS = (
    "training",
    "variants",
    "dataloader",
    "memory",
    "measure_memory",
    "packing",
    "packing_many",
    "startup",
    "dag",
    "gradient",
    "gradient_svd",
    "forward_share",
    "dfm",
    "gpu",
)
ALONE = """
import importlib, json, sys
from spectral_priority.allocator import keep_freed_memory
keep_freed_memory()
name, quick, file = sys.argv[1:]
benchmark = importlib.import_module(name)
rows = benchmark.run(quick == "quick")
with open(file, "w") as out:
    json.dump({"title": benchmark.TITLE, "rows": rows}, out)
"""
"""Each benchmark has a process of its own: threads, modes and peak memory of one don't reach the next. Memory is
allocated as in the pipeline's programs, for all that is compared."""


def main() -> int:
    """Run and write; a benchmark that fails, or has nothing to measure here, leaves its section as it is."""
    made = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    made.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; none: all")
    made.add_argument("--quick", action="store_true", help="fewer turns, smaller cases")
    arguments = made.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        made.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    failed = []
    for name in arguments.names or BENCHMARKS:
        print(f"== {name}", flush=True)
        busy = other_work()
        found = run_alone(name, arguments.quick)
        if found is None:
            failed.append(name)
        elif found["rows"]:
            print_rows(found["rows"])
            command = f"make bench ONLY={name}{' QUICK=1' if arguments.quick else ''}"
            facts = [f"{date.today()}, `{command}`", f"{machine()}; {busy}", versions()]
            new = section(name, found["title"], facts, found["rows"])
            text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
            write_text(RESULTS, replace_section(text, name, new, BENCHMARKS))
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


def run_alone(name: str, quick: bool) -> dict | None:
    """Return title and rows of a benchmark; None where it failed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.json")
        path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-c", ALONE, name, "quick" if quick else "whole", str(file)]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path})
        return json.loads(file.read_text()) if done.returncode == 0 else None


if __name__ == "__main__":
    sys.exit(main())
