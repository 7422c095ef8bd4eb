"""A study of one run that takes a minute, made once; rounds begin with copies of it, whole or without its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STUDY = """
study: tiny
question: Is it the same after a fault?
datasets:
  blobs:
    size: 16
    color: grey
    source: {kind: shapes-textures, train: 240, held_out: 120, rings: [2, 5], orientations: 2}
tiers:
  labels:
    {kind: labels, dataset: blobs, labels: [shape], images: {train: 160, validation: 40, probe: 40}, floor: 20}
recipes:
  base:
    width: 4
    steps: 12
    batch_size: 32
    checkpoints: {early: [0, 5]}
    evaluation_images: 40
    batch_norm_images: 40
measures: {gradient: {batch_norm_images: 40}}
complexity: {reference: {components: 8}}
seeds: 1
"""
TARGET = "statistics"
"""What a round makes: everything but pictures and pages, which take most of the time and none of the numbers."""
LATE = ("tiny/runs", "tiny/*.csv", "tiny/profiles.h5", "tiny/complexity", "state/tiny", "logs/tiny/runs")
"""What is taken away for a round that begins in the middle, below results/."""


def prepare(folder: Path) -> tuple[Path, Path]:
    """Copy the project, so that an edit meanwhile changes nothing, and make the study once, undisturbed.

    Returns
    -------
    project, whole : Path
        The copy, and the folder of the finished study.
    """
    project, whole = folder / "project", folder / "whole"
    project.mkdir(parents=True)
    for name in ("Snakefile", "environment.yml"):
        shutil.copy2(PROJECT / name, project)
    for name in ("workflow", "src", "config"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(PROJECT / name, project / name, ignore=ignored)
    whole.mkdir()
    (whole / "tiny.yaml").write_text(STUDY)
    done = subprocess.run(
        command(project, whole), cwd=whole, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"the study can't even be made undisturbed: {done.stdout}{done.stderr}")
    return project, whole


def command(project: Path, folder: Path, *more: str) -> list[str]:
    """The command that is given in every round, and again after the fault."""
    return [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(project / "Snakefile")),
        *(
            "--directory",
            str(folder),
            TARGET,
            *more,
            "--cores",
            "2",
            "--configfile",
            str(folder / "tiny.yaml"),
        ),
    ]


def environment() -> dict[str, str]:
    """Return the environment of the command: nothing of a Snakemake that this one runs in, one thread per program."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SPECTRAL_PRIORITY")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "OMP_NUM_THREADS": "1"}


def begin(whole: Path, folder: Path, start: str) -> None:
    """Make the folder of a round: `empty`, `half` (up to the tiers) or `whole`, with the finished study's times."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(whole / "tiny.yaml", folder)
    if start == "empty":
        return
    for name in ("results", ".snakemake"):
        shutil.copytree(whole / name, folder / name, symlinks=True, dirs_exist_ok=True)
    _link_again(whole, folder)
    if start == "half":
        for pattern in LATE:
            _remove(sorted((folder / "results").glob(pattern)))


def _link_again(whole: Path, folder: Path) -> None:
    """Make those files one again that were hard links of one, as in a study that was not copied."""
    first: dict[int, Path] = {}
    for path in sorted(whole.rglob("*")):
        if path.is_file() and path.stat().st_nlink > 1:
            twin, copy = first.setdefault(path.stat().st_ino, path), folder / path.relative_to(whole)
            if twin != path:
                copy.unlink()
                os.link(folder / twin.relative_to(whole), copy)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
