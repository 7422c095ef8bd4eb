"""The smallest study with all that a cluster has to do, and the commands that run it with the shipped profile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from cluster import Cluster

PROJECT = Path(__file__).resolve().parents[2]
PROFILE = Path("profiles") / "slurm"

STUDY = """
study: mini
question: Does the smallest study go through on a cluster?
datasets:
  blobs:
    size: 16
    color: grey
    source: {kind: shapes-textures, train: 480, held_out: 160, rings: [2, 5], orientations: 2}
tiers:
  labels:
    kind: labels
    dataset: blobs
    labels: [shape, texture]
    images: {train: 240, validation: 40, probe: 40}
recipes:
  base:
    width: 4
    steps: 30
    batch_size: 32
    checkpoints: {early: [0, 10], every_epochs: 4}
    evaluation_images: 64
    batch_norm_images: 64
measures:
  gradient: {batch_norm_images: 64}
  weight-svd:
complexity: {reference: {components: 8}}
seeds: 1
"""

OVERRIDES = (
    *("--slurm-init-seconds-before-status-checks", "2", "--seconds-between-status-checks", "2"),
    *("--latency-wait", "10"),
)
"""What a test changes of the profile: only how long is waited."""

PARTITIONS = {"CPU_PARTITION": "cpu", "GPU_PARTITION": "gpu"}


def write_study(folder: Path, **changes) -> Path:
    """Write the study, with top-level keys replaced."""
    path = folder / "mini.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(STUDY), **changes}, sort_keys=False))
    return path


def copy_project(target: Path) -> Path:
    """Copy the project's own files, so that a test may edit them."""
    target.mkdir(parents=True)
    for name in ("Snakefile", "environment.yml"):
        shutil.copy2(PROJECT / name, target)
    for name in ("workflow", "src", "config", "profiles"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(PROJECT / name, target / name, ignore=ignored)
    return target


def command(folder: Path, *arguments: str, project: Path = PROJECT) -> list[str]:
    """Return the README's command for a cluster, for a study file in a folder of its own."""
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(project / "Snakefile")),
        *("--profile", str(project / PROFILE), "--directory", str(folder)),
        *(*OVERRIDES, *arguments, "--configfile", str(folder / "mini.yaml")),
    ]


def start(cluster: Cluster, folder: Path, *arguments: str, project: Path = PROJECT, **variables: str):
    """Start Snakemake in a folder, its output in snakemake.log there; return the process."""
    with (folder / "snakemake.log").open("ab") as log:
        return subprocess.Popen(
            command(folder, *arguments, project=project),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**cluster.environment, **PARTITIONS, **variables},
        )


def run(
    cluster: Cluster,
    folder: Path,
    *arguments: str,
    project: Path = PROJECT,
    expect: int | None = 0,
    **variables,
) -> str:
    """Run Snakemake to its end and return what it printed."""
    log = folder / "snakemake.log"
    before = log.stat().st_size if log.exists() else 0
    process = start(cluster, folder, *arguments, project=project, **variables)
    try:
        process.wait(900)
    finally:
        process.kill()
    text = log.read_bytes()[before:].decode(errors="replace")
    assert expect is None or process.returncode == expect, text
    return text
