"""A training that takes a second: 8-pixel images of three classes (stripes of different width), and helpers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
from made_checksums import add_checksums

from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest, write_manifest
from spectral_priority.fingerprint import code_fingerprint
from spectral_priority.training.finished import OUTPUTS
from spectral_priority.training.task import Task

PROGRAM = Path(__file__).parents[2] / "workflow" / "scripts" / "train.py"
OPTIONS = {
    "width": 4,
    "steps": 40,
    "batch_size": 16,
    "augment": "flip-crop",
    "checkpoints": {"early": [0, 3, 10], "every_epochs": 2},
    "evaluation_images": 30,
    "batch_norm_images": 20,
}
RESULTS = OUTPUTS[:3]
"""Files that an interrupted training ends with, to the byte."""


def write_data(folder: Path, train: int = 90, seed: int = 0) -> None:
    """Write images.h5, tier.json and tier.npz."""
    classes, held_out = 3, 30
    number = train + held_out
    random = np.random.default_rng(seed)
    label = (np.arange(number) % classes).astype(np.int32)
    line = np.arange(8)
    stripes = np.stack([np.sin(2 * np.pi * (c + 1) * line / 8 + 0.3) for c in range(classes)])
    pixels = 127 + 40 * stripes[label][:, None, :, None] + random.normal(0, 40, (number, 8, 8, 1))
    with h5py.File(folder / "images.h5", "w") as file:
        file["images"] = pixels.clip(0, 255).astype(np.uint8)
        file["split"] = (np.arange(number) >= train).astype(np.uint8)
        file["label_class"] = label
        file.attrs.update(
            schema="spectral-priority/1",
            kind="images",
            dataset="stripes",
            content_sha256=f"pixels-{train}-{seed}",
            classes=json.dumps({"class": ["one", "two", "three"]}),
        )
        add_checksums(file)
    index = {
        "train": np.arange(train),
        "validation": np.arange(train, number - 6),
        "probe": np.arange(number - 6, number),
    }
    facts = {
        "tier": "count-3-d0",
        "seed": 0,
        "number_of_classes": classes,
        "classes": [{"name": name, "title": "", "members": [name]} for name in ("one", "two", "three")],
        "data_sha256": f"pixels-{train}-{seed}",
    }
    write_manifest(
        folder / "tier.json",
        folder / "tier.npz",
        facts,
        index,
        {part: label[where] for part, where in index.items()},
    )


def make_task(folder: Path, **options) -> Task:
    """Return the task of the data in a folder."""
    manifest = read_manifest(folder / "tier.json", folder / "tier.npz")
    recipe = Recipe.model_validate({**OPTIONS, **options})
    return Task(PackedImages(folder / "images.h5"), manifest, "base", recipe, seed=3)


def train_in_process(task: Task, work: Path, device: str = "cpu", **more) -> Path:
    """Train (or go on) in this process; return the folder of the finished run."""
    import torch

    from spectral_priority.training.lock import Lock
    from spectral_priority.training.run import run_training

    try:
        with Lock(work) as lock:
            finished = run_training(task, code_fingerprint("train"), lock, device, **more)
    finally:
        torch.set_deterministic_debug_mode("default")
        torch.set_num_threads(1)
    return finished.folder


def start(folder: Path, out: Path, *more: str, python=(sys.executable,), **options) -> subprocess.Popen:
    """Start the program on the data in a folder; its work folder is out/work."""
    command = [*python, PROGRAM, "--images", folder / "images.h5", "--manifest", folder / "tier.json"]
    command += ["--indices", folder / "tier.npz", "--recipe", "base", "--seed", "3", "--work", out / "work"]
    command += ["--options", json.dumps({**OPTIONS, **options}), "--device", "cpu", *more]
    for name, file in zip(("checkpoints", "history", "class-history", "run"), OUTPUTS, strict=True):
        command += [f"--{name}", out / file]
    return subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, text=True)


def same_results(one: Path, other: Path) -> bool:
    """Tell whether two runs ended with the same bytes."""
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in RESULTS)
