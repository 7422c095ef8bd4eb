"""What a test needs before or beside the cluster's part of a study, run on this machine without the cluster."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from cluster import Cluster
from study import PROJECT, write_study


def run_here(cluster: Cluster, folder: Path, *arguments: str, project: Path = PROJECT) -> str:
    """Run Snakemake on this machine, for the study file in a folder, and return what it printed."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(project / "Snakefile")),
            *("--directory", str(folder), *arguments, "--cores", "2"),
            *("--configfile", str(folder / "mini.yaml")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        env=cluster.environment,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def with_tiers(cluster: Cluster, folder: Path, project: Path = PROJECT, **changes) -> Path:
    """Write a study with one task and make all that its trainings need."""
    folder.mkdir(parents=True, exist_ok=True)
    write_study(folder, **changes)
    run_here(cluster, folder, "results/mini/tiers/labels-shape-d0.json", project=project)
    return folder


def planned(cluster: Cluster, folder: Path, *arguments: str, project: Path = PROJECT) -> dict[str, int]:
    """Return how many jobs of each rule Snakemake would run."""
    text = run_here(cluster, folder, "--dry-run", *arguments, project=project)
    if "Nothing to be done" in text:
        return {}
    table = text.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}
