"""Say what a study will take: jobs, GPU-hours, bytes, inodes, and retries for its time limits. Nothing is run.

Images per second are given, or taken from finished runs of the same recipe; without either hours stay open. Hours and
bytes of measures are those of finished ones. Jobs are those that Snakemake would still run.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import yaml

from spectral_priority.config.loading import find_study, load_study
from spectral_priority.errors import InputError
from spectral_priority.estimate.study import Estimate, estimate

PROJECT = Path(__file__).resolve().parents[2]
PROFILE = Path("profiles", "slurm", "config.yaml")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--study", help="a study's name, or a study file (default: the demo)")
    made.add_argument("--results", default=Path("results"), type=Path, help="the folder results/")
    made.add_argument("--images-per-second", type=float, help="speed of a training on your hardware")
    made.add_argument(
        "--profile", default=PROJECT / PROFILE, type=Path, help="the profile whose retries must be enough"
    )
    made.add_argument("--no-jobs", action="store_true", help="don't ask Snakemake for the number of jobs")
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Print the estimate."""
    path = find_study(arguments.study, arguments.results, PROJECT / "config")
    found = estimate(load_study(path), arguments.results, arguments.images_per_second)
    print("\n".join([*table(found), *totals(found)]))
    warned = warning(found, arguments.profile)
    if warned:
        print(warned)
    if not arguments.no_jobs:
        jobs = jobs_left(path)
        print(
            f"jobs still to run: {'Snakemake could not plan them; see its message' if jobs is None else jobs}"
        )


def table(found: Estimate) -> list[str]:
    """Return the lines of a table of one run each."""
    heads = ("family", "recipe", "runs", "GPUs", "images", "checkpoints", "GB", "hours", "attempts")
    rows = [
        (
            row.family,
            row.recipe,
            f"{row.runs:,}",
            str(row.gpus),
            f"{row.images:,}",
            str(row.checkpoints),
            f"{row.bytes / 1e9:.2f}",
            "?" if row.hours is None else f"{row.hours:.2f}",
            "?" if row.attempts is None else str(row.attempts),
        )
        for row in found.trainings
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (heads, *rows)
    ] + ["GPUs, images, checkpoints, GB, hours and attempts are of one run"]


def totals(found: Estimate) -> list[str]:
    """Return the lines about the whole study."""
    hours = "unknown: give --images-per-second" if found.hours is None else f"{found.hours:,.1f}"
    packs = ", ".join(
        f"{name} {'unknown before it is packed' if size is None else f'{size / 1e9:.2f} GB'}"
        for name, size in found.pack_bytes.items()
    )
    measured = size = "unknown before one of each is finished"
    if found.finished:
        beside = ", without " + ", ".join(map("/".join, found.unknown)) if found.unknown else ""
        measured, size = (
            f"{found.measuring_hours:,.1f}{beside}",
            f"{found.spectra_bytes / 1e9:,.2f} GB{beside}",
        )
    places = found.inodes
    return [
        f"trainings: {found.runs:,}; measurings: {sum(found.measurings.values()):,}",
        f"GPU-hours of training: {hours}",
        f"GPU-hours of measuring: {measured}",
        f"bytes: checkpoints {found.checkpoint_bytes / 1e9:,.1f} GB; measures: {size}; packed images: {packs}",
        f"inodes: {places.all:,} (results {places.results:,}, state {places.state:,}, logs {places.logs:,}, "
        f"run times {places.run_times:,}, Snakemake's records {places.records:,})",
        f"retries that the profile must allow: {'unknown' if found.retries is None else found.retries}",
    ]


def warning(found: Estimate, profile: Path) -> str | None:
    """Return a warning where a profile allows fewer retries than the time limits need."""
    try:
        allowed = yaml.safe_load(profile.read_text(encoding="utf-8")).get("retries", 0)
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise InputError(profile, f"can't be read ({error})", "a profile of Snakemake") from None
    if found.retries is None or found.retries <= allowed:
        return None
    return (
        f"WARNING: {profile.parent.name}/{profile.name} allows {allowed} retries, so the longest training would be "
        f"given up: add --retries {found.retries} to the command, or raise time_limit_minutes of its recipe"
    )


def jobs_left(study: Path) -> int | None:
    """Ask Snakemake how many jobs are left."""
    asked = ["--snakefile", str(PROJECT / "Snakefile"), "--dry-run", "--quiet", "rules"]
    command = [sys.executable, "-m", "snakemake", *asked, "--configfile", str(study)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    if done.returncode:
        print(text, file=sys.stderr)
        return None
    total = re.search(r"^total\s+(\d+)$", text, re.MULTILINE)
    return int(total[1]) if total else 0


if __name__ == "__main__":
    try:
        main(arguments())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
