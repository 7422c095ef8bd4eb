"""What a test sees of trainings that a cluster runs: their processes, how far their state is saved, what they made."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cluster import Cluster

TIER, BYTES = "labels-shape-d0", ("checkpoints.safetensors", "history.csv", "class_history.csv")
"""The one tier, and the files of a run that an interrupted training must end with, to the byte."""


def run_folder(folder: Path, recipe: str) -> Path:
    """Return where a run's results lie."""
    return folder / "results" / "mini" / "runs" / TIER / recipe / "seed0"


def work_folder(folder: Path, recipe: str) -> Path:
    """Return where its resumable state lies."""
    return folder / "results" / "state" / "mini" / TIER / recipe / "seed0"


def saved_step(folder: Path, recipe: str) -> int:
    """Return the steps in a training's last saved state; −1 where none is saved."""
    try:
        with (work_folder(folder, recipe) / "state.safetensors").open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except FileNotFoundError:
        return -1
    return json.loads(header["__metadata__"]["progress"])["step"]


def attempts(folder: Path, recipe: str) -> list[dict]:
    """Return the attempts that a finished run took: from_step, to_step, end, seconds."""
    return json.loads((run_folder(folder, recipe) / "run.json").read_text())["attempts"]


def program(folder: Path, recipe: str) -> int:
    """Return the process of a study's running training, whose parents are the two Snakemakes of its job."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                where = (entry / "cwd").readlink()
            except OSError:
                continue
            if where == folder and any(word.endswith(b"train.py") for word in words[:3]):
                found += [int(entry.name)] if os.fsencode(recipe) in words else []
    assert len(found) == 1, f"{recipe}: {len(found)} trainings run at the same time"
    return found[0]


def jobs_of(cluster: Cluster, recipe: str) -> list[dict[str, str]]:
    """Return the jobs that trained a recipe, the earliest first; a requeued one once for each of its starts."""
    return [row for row in cluster.jobs_of("train") if f"_{recipe}_" in row["Comment"]]


def states_of(cluster: Cluster, recipe: str) -> list[str]:
    """Return how these jobs ended, such as COMPLETED or NODE_FAIL."""
    return [row["State"].split()[0] for row in jobs_of(cluster, recipe)]


def waiting(cluster: Cluster) -> dict[str, str]:
    """Return the trainings that wait in the queue: recipe → job."""
    mark = f"rule_train_wildcards_{TIER}_"
    return {
        row["comment"].removeprefix(mark).removesuffix("_0"): row["id"]
        for row in cluster.queue()
        if row["comment"].startswith(mark) and row["state"] == "PENDING"
    }
