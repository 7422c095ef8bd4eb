"""Say what a study will take: jobs, hours, bytes, files, and retries for its time limits. Nothing is run.

Images per second are given, or taken from finished runs of the same recipe; without either hours stay open. Jobs are
those that Snakemake would still run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from spectral_priority.config.loading import choose_study, load_study
from spectral_priority.errors import InputError
from spectral_priority.estimate import Estimate, estimate

PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print the estimate."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--study", help="name of a study in config/studies (default: the demo)")
    made.add_argument("--configfile", type=Path, help="a study file of your own")
    made.add_argument("--images-per-second", type=float, help="speed of a training on your hardware")
    made.add_argument("--no-jobs", action="store_true", help="don't ask Snakemake for the number of jobs")
    arguments = made.parse_args()
    asked = {"study": arguments.study} if arguments.study else {}
    try:
        path, _ = choose_study(
            asked, [arguments.configfile] if arguments.configfile else [], PROJECT / "config"
        )
        found = estimate(load_study(path), Path("results"), arguments.images_per_second)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(found))
    if not arguments.no_jobs:
        jobs = jobs_left(path)
        print(
            f"jobs still to run: {jobs if jobs is not None else 'Snakemake could not plan them; see its message'}"
        )
    return 0


def table(found: Estimate) -> str:
    """Write an estimate as text."""
    heads = ("family", "recipe", "runs", "images", "checkpoints", "GB", "hours", "attempts")
    rows = [
        (
            row.family,
            row.recipe,
            f"{row.runs:,}",
            f"{row.images:,}",
            str(row.checkpoints),
            f"{row.bytes / 1e9:.2f}",
            "?" if row.hours is None else f"{row.hours:.2f}",
            "?" if row.attempts is None else str(row.attempts),
        )
        for row in found.trainings
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (heads, *rows)
    ]
    hours = "unknown: give --images-per-second" if found.hours is None else f"{found.hours:,.1f}"
    packs = ", ".join(
        f"{name} {'unknown before it is packed' if size is None else f'{size / 1e9:.2f} GB'}"
        for name, size in found.pack_bytes.items()
    )
    retries = [row.attempts - 1 for row in found.trainings if row.attempts is not None]
    return "\n".join(
        [
            *lines,
            "images, checkpoints, GB, hours and attempts are of one run",
            f"trainings: {found.runs:,}; measurings: {found.measurings:,}",
            f"hours of training in all: {hours}",
            f"checkpoints in all: {found.checkpoint_bytes / 1e9:,.1f} GB; packed images: {packs}",
            f"files (inodes) of the study, logs included: about {found.files:,}",
            f"retries that the profile must allow: {max(retries) if retries else 'unknown'}",
        ]
    )


def jobs_left(study: Path) -> int | None:
    """Ask Snakemake how many jobs are left."""
    asked = [
        "--snakefile",
        str(PROJECT / "Snakefile"),
        "--dry-run",
        "--quiet",
        "rules",
        "--configfile",
        str(study),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *asked], capture_output=True, text=True, check=False
    )
    text = done.stdout + done.stderr
    if done.returncode:
        print(text, file=sys.stderr)
        return None
    total = re.search(r"^total\s+(\d+)$", text, re.MULTILINE)
    return int(total[1]) if total else 0


if __name__ == "__main__":
    sys.exit(main())
