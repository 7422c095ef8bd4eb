"""The smallest study, and the commands that run it or say what would be run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]

MINI = """
study: mini
question: Does the smallest study go through?
datasets:
  blobs:
    size: 16
    color: grey
    source: {kind: shapes-textures, train: 480, held_out: 160, rings: [2, 5], orientations: 2}
tiers:
  labels: {kind: labels, dataset: blobs, labels: [shape, texture], images: {train: 240, validation: 40, probe: 40}}
  similar:
    kind: similarity
    dataset: blobs
    label: texture
    classes: 2
    levels: [near]
    draws: 1
    images: {train: 240, validation: 40, probe: 40}
recipes:
  base:
    width: 4
    steps: 30
    batch_size: 32
    checkpoints: {early: [0, 10], every_epochs: 4}
    evaluation_images: 64
    batch_norm_images: 64
measures: {gradient: {batch_norm_images: 64}}
complexity: {reference: {components: 8}}
seeds: 1
claims:
  - {kind: increasing, text: shape below texture, tiers: [labels-shape-d0, labels-texture-d0]}
"""


def write_study(folder: Path, **changes) -> Path:
    """Write the small study, with top-level keys replaced."""
    path = folder / "mini.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(MINI), **changes}, sort_keys=False))
    return path


def command(folder: Path, *arguments: str, project: Path = PROJECT) -> list[str]:
    """The command of the README, for a study file in a folder of its own."""
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(project / "Snakefile")),
        *("--directory", str(folder), *arguments, "--cores", "2"),
        # This option takes every word behind it for a file, so it comes last.
        *("--configfile", str(folder / "mini.yaml")),
    ]


def snakemake(folder: Path, *arguments: str, project: Path = PROJECT, expect: int | None = 0) -> str:
    """Run Snakemake in a folder and return everything it printed."""
    done = subprocess.run(
        command(folder, *arguments, project=project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        env={name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_PRIORITY")},
    )
    if expect is not None:
        assert done.returncode == expect, done.stdout
    return done.stdout


def planned(folder: Path, *arguments: str, project: Path = PROJECT) -> dict[str, int]:
    """How many jobs of each rule Snakemake would run."""
    text = snakemake(folder, "--dry-run", *arguments, project=project)
    if "Nothing to be done" in text:
        return {}
    table = text.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}


def copy_of(folder: Path, target: Path) -> Path:
    """Copy a study's folder with its times, as if it had been run there."""
    shutil.copytree(folder, target, symlinks=True, copy_function=shutil.copy2)
    return target
