"""Our epoch against a bare loop: what reading, augmenting, scheduling, locks and progress cost beside the arithmetic.

Ours is `run_training` as the train program calls it: progress bar, lock and stop checks and all. Where it asks whether
to stop, the bare loop takes its turn. Evaluation, checkpoints and saved states are rows of their own.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import torch
from bare_loop import BareLoop
from interleaved import Turn, compared, now, row, seconds, since, take_turns, timed
from made_data import demo_options, make_task, pack_images
from results import print_rows

from spectral_priority.config.recipe import Recipe
from spectral_priority.program import Stopped
from spectral_priority.store.atomic import read_json
from spectral_priority.training.checkpoints import part_name, write_checkpoints
from spectral_priority.training.finished import RUN
from spectral_priority.training.lock import Lock
from spectral_priority.training.loop import Training, prepare_device
from spectral_priority.training.run import run_training
from spectral_priority.training.schedule import checkpoint_steps
from spectral_priority.training.state import Progress, save_state
from spectral_priority.training.task import Task

TITLE = "Our epoch against a bare loop on preloaded tensors, and what a training does beside its steps"

CODE = "benchmark"
"""Stands for the code's fingerprint."""
RGB32, GREY32, RGB64 = (32, "rgb"), (32, "grey"), (64, "rgb")
DEMO = demo_options()
CASES = (
    ("small_cnn, 32 px RGB, batch 128", RGB32, {}, 4, 40),
    ("small_cnn of the demo, 32 px grey, batch 32", GREY32, DEMO, 30, 40),
    ("resnet18 with CIFAR stem, 32 px RGB, batch 128", RGB32, {"model": "resnet18", "stem": "cifar"}, 1, 8),
    ("resnet18, 64 px RGB, batch 128", RGB64, {"model": "resnet18"}, 1, 16),
)
"""Name, images, options of the recipe, steps in a turn, turns."""
AUGMENTS = {"no augmentation": "none", "flip-crop": "flip-crop"}
IMAGES = {RGB32: 12_800, GREY32: 3840, RGB64: 4096}
"""Training images; 12,800 are ten epochs in the default recipe's 1000 steps, 3840 are the demo's."""
STEPS_ONLY = {
    "steps": 10**6,
    "checkpoints": {"early": [0], "every_epochs": 1e6},
    "evaluation_images": 4,
    "batch_norm_images": 128,
}
"""No checkpoint but that of step 0, which comes before the turns."""
NEVER = 1e9
SAVE_EVERY = 30.0
"""Seconds between saved states (the train program's default)."""


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: fewer turns, and smaller batches of the large models."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder, "work")
        packs = {
            kind: pack_images(Path(folder, f"{kind[0]}-{kind[1]}"), *kind, IMAGES[kind]) for kind in IMAGES
        }
        for name, kind, options, steps, turns in CASES:
            if quick:
                turns //= 4
                if "model" in options:
                    name, options = name.replace("128", "32"), {**options, "batch_size": 32}
            for called, augment in AUGMENTS.items():
                recipe = Recipe(**{**options, **STEPS_ONLY, "augment": augment})
                ours, bare = epoch_and_bare(make_task(packs[kind], recipe), work, steps, turns)
                rate = recipe.batch_size * steps / seconds(ours)
                rows.append(row(f"{name}, {called}", rate, "images/s", **compared(ours, bare, "bare loop")))
        rows += beside_the_steps("small_cnn, 32 px RGB", make_task(packs[RGB32], Recipe()), work, 10)
        if not quick:
            recipe = Recipe(model="resnet18")
            rows += beside_the_steps("resnet18, 64 px RGB", make_task(packs[RGB64], recipe), work, 1)
        rows.append(whole_run(make_task(packs[GREY32], Recipe(**DEMO)), work))
    return rows


def epoch_and_bare(task: Task, work: Path, steps: int, turns: int) -> tuple[list[Turn], list[Turn]]:
    """Train a task and a bare loop in turn, `steps` steps at a time; the first turns are not counted."""
    device = prepare_device("auto", task.recipe.threads, task.recipe.deterministic)
    taking = _Turns(BareLoop(task, device), steps, turns)
    with Lock(work) as lock, contextlib.suppress(Stopped):
        run_training(task, CODE, lock, threads=task.recipe.threads, stop=taking, save_every_seconds=NEVER)
    shutil.rmtree(work)
    return taking.ours[1:], taking.bare[1:]


class _Turns:
    """Stands where a training asks whether to stop: lets the bare loop take its turns, and times both."""

    def __init__(self, bare: BareLoop, steps: int, turns: int):
        self.loop, self.steps, self.turns = bare, steps, turns
        self.ours: list[Turn] = []
        self.bare: list[Turn] = []
        self.begun: Turn | None = None

    def __call__(self, steps_made: int) -> str | None:
        if steps_made % self.steps:
            return None
        if self.begun is not None:
            self.ours.append(since(self.begun))
        if len(self.ours) > self.turns:
            return "all is measured"
        mode = torch.get_deterministic_debug_mode()
        torch.set_deterministic_debug_mode("default")  # nobody asks a bare loop for repeatable kernels
        self.bare.append(timed(lambda: self.loop.make_steps(self.steps)))
        torch.set_deterministic_debug_mode(mode)
        self.begun = now()
        return None


def beside_the_steps(name: str, task: Task, work: Path, steps: int) -> list[dict]:
    """Time evaluation, checkpoints and saved states, and say what they add to a run with the default plan."""
    recipe = task.recipe
    training = Training(task, prepare_device("auto", recipe.threads))

    def save() -> None:
        save_state(work, CODE, Progress(), training.tensors())

    def keep() -> None:
        write_checkpoints(work / part_name(0), {0: training.model.state_dict()}, CODE)

    cases = {
        "step": lambda: [training.take_step() for _ in range(steps)],
        "look": training.look,
        "keep": keep,
        "save": save,
    }
    turns = take_turns(cases, 5)
    training.close()
    shutil.rmtree(work)
    spent = {case: seconds(of_case) for case, of_case in turns.items()}
    step, over = spent["step"] / steps, "the run's steps"
    number, epochs = len(checkpoint_steps(recipe, task.steps_per_epoch)), recipe.steps / task.steps_per_epoch
    looks, files = number * spent["look"], number * (spent["keep"] + spent["save"])
    plan = f"{number} in {recipe.steps} steps, {epochs:.3g} epochs"
    state, between = spent["save"], f"{SAVE_EVERY:g} s"
    return [
        row(
            f"{name}: evaluation at a checkpoint",
            spent["look"],
            "s",
            "an optimiser step",
            spent["look"] / step,
        ),
        row(f"{name}: evaluation, default plan ({plan})", looks, "s", over, looks / (recipe.steps * step)),
        row(f"{name}: weights and states written then", files, "s", over, files / (recipe.steps * step)),
        row(
            f"{name}: a state saved every {between}", state, "s", f"{between} of training", state / SAVE_EVERY
        ),
    ]


def whole_run(task: Task, work: Path) -> dict:
    """Time a training of the demo from its set-up to its kept results, over its steps alone."""
    whole, ratios = [], []
    for _ in range(3):
        with Lock(work) as lock:
            begun = now()
            finished = run_training(task, CODE, lock, threads=task.recipe.threads)
            whole.append(since(begun).wall)
        rate = read_json(finished.folder / RUN)["images_per_second"]
        ratios.append(whole[-1] * rate / (task.recipe.steps * task.recipe.batch_size))
        shutil.rmtree(work)
    what = "a run of the demo: set-up, steps, evaluation, checkpoints, states, results"
    return row(what, median(whole), "s", "its optimiser steps", median(ratios))


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
