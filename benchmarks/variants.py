"""What variants of a training cost: the time of a step with an option, over that of a step without it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from interleaved import compared, row, seconds, take_turns
from made_data import make_task, pack_images
from results import print_rows

from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import PackedImages
from spectral_priority.training.finished import CHECKPOINTS
from spectral_priority.training.lock import Lock
from spectral_priority.training.loop import Training, prepare_device
from spectral_priority.training.run import run_training
from spectral_priority.training.sources import Source, run_source

TITLE = "What variants of a training cost: a step over a plain step, small_cnn, 32 px RGB, batch 128"

PLAIN, FREE = "plain", "plain, repeatable kernels not asked for"
VARIANTS = {
    PLAIN: {},
    FREE: {},
    "augment: flip-crop": {"augment": "flip-crop"},
    "augment: TrivialAugmentWide (torchvision, image by image)": {"augment": "TrivialAugmentWide"},
    "ema: 0.999": {"ema": 0.999},
    "label_smoothing: 0.1": {"label_smoothing": 0.1},
    "objective: triplet": {"objective": "triplet"},
    "teacher: a run of the same recipe": {"teacher": {"recipe": "made"}},
}
STEPS, TURNS = 6, 12


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: a third of the turns."""
    turns = TURNS // 3 if quick else TURNS
    device = prepare_device("auto", threads=1)
    repeatable = torch.get_deterministic_debug_mode()
    with tempfile.TemporaryDirectory() as folder:
        images = pack_images(Path(folder), 32, "rgb", train=4096)
        teacher = _teacher(images, Path(folder, "teacher"))
        trainings = {
            name: Training(
                replace(
                    make_task(images, Recipe(**options)), teacher=teacher if "teacher" in options else None
                ),
                device,
            )
            for name, options in VARIANTS.items()
        }
        measured = take_turns(
            {
                name: _steps(training, "default" if name == FREE else repeatable)
                for name, training in trainings.items()
            },
            turns,
        )
        for training in trainings.values():
            training.close()
    return [
        row(
            name,
            STEPS * 128 / seconds(measured[name]),
            "images/s",
            **(compared(measured[name], measured[PLAIN], "plain") if name != PLAIN else {}),
        )
        for name in VARIANTS
    ]


def _steps(training: Training, mode: int | str) -> Callable[[], None]:
    def steps() -> None:
        torch.set_deterministic_debug_mode(mode)
        for _ in range(STEPS):
            training.take_step()

    return steps


def _teacher(images: PackedImages, work: Path) -> Source:
    """Train the default recipe for a few steps, to learn from."""
    recipe = Recipe(steps=5, checkpoints={"early": [0]}, evaluation_images=4, batch_norm_images=128)
    with Lock(work) as lock:
        finished = run_training(make_task(images, recipe), "benchmark", lock)
    return run_source(finished.folder / CHECKPOINTS)


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
