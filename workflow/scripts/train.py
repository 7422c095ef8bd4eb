"""Train one model on one tier, and keep its weights and scores along the way.

Killed or stopped, the same command goes on from the state in its work folder and ends with the same weights. Started
again after it finished, it publishes the finished run without one optimiser step, unless options, data or code changed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.gpus.lease import lease_gpus
from spectral_priority.gpus.several import is_started_for_each, start_for_each
from spectral_priority.program import parser, run
from spectral_priority.store.finished import Finished
from spectral_priority.training.finished import CHECKPOINTS, CLASS_HISTORY, HISTORY, RUN, publish_run
from spectral_priority.training.lock import Lock
from spectral_priority.training.sources import find_source
from spectral_priority.training.stopping import StopRequest
from spectral_priority.training.task import Task
from spectral_priority.training.work_folder import clear_after

NO_MEASURES = "{}"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    made = parser(__doc__)
    made.add_argument("--images", type=Path, required=True, help="packed images (images.h5)")
    made.add_argument("--manifest", type=Path, required=True, help="the tier (.json)")
    made.add_argument("--indices", type=Path, required=True, help="the tier's images and labels (.npz)")
    made.add_argument("--recipe", required=True, help="name of the recipe")
    made.add_argument("--options", required=True, metavar="JSON", help="options of the recipe")
    made.add_argument("--seed", type=int, required=True, help="seed of the training")
    made.add_argument(
        "--init", type=Path, help="checkpoints.safetensors of the run that the recipe starts from"
    )
    made.add_argument(
        "--teacher", type=Path, help="checkpoints.safetensors of its teacher, beside its run.json"
    )
    made.add_argument("--data-root", type=Path, help="folder that a file of weights to start from lies below")
    made.add_argument(
        "--measures",
        default=NO_MEASURES,
        metavar="JSON",
        help="instances to measure at every checkpoint, whose weights are then not kept: name → options, code",
    )
    made.add_argument(
        "--work", type=Path, required=True, help="folder of the resumable state and finished runs"
    )
    made.add_argument("--checkpoints", type=Path, required=True, help="weights to write (.safetensors)")
    made.add_argument("--history", type=Path, required=True, help="scores per checkpoint to write (.csv)")
    made.add_argument("--class-history", type=Path, required=True, help="scores per class to write (.csv)")
    made.add_argument("--run", type=Path, required=True, help="facts of the run to write (.json)")
    made.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="auto: CUDA if there is one"
    )
    made.add_argument("--threads", type=int, help="CPU threads (default: the recipe's)")
    made.add_argument("--gpus", type=int, default=1, help="GPUs to share each batch over")
    made.add_argument(
        "--time-limit-minutes", type=float, help="wall time of this start (default: the recipe's)"
    )
    made.add_argument("--save-every-seconds", type=float, default=30.0, help="time between saved states")
    made.add_argument(
        "--lock-wait-minutes",
        type=float,
        default=0.0,
        help="wait for another process that trains the same run",
    )
    return made.parse_args()


def main(arguments: argparse.Namespace) -> None:
    """Publish the finished run, after training it if need be."""
    started = time.monotonic()
    code = expect_code("train", arguments.expect_code)
    recipe = read_recipe(arguments.options)
    images = PackedImages(arguments.images, arguments.threads or recipe.threads)
    manifest = read_manifest(arguments.manifest, arguments.indices)
    init = find_source(recipe.init, "--init", arguments.init, arguments.data_root)
    teacher = find_source(recipe.teacher, "--teacher", arguments.teacher, arguments.data_root)
    measures = {}
    if recipe.measure_during_training or arguments.measures != NO_MEASURES:
        # By name: what a training learns doesn't depend on measures, so its code fingerprint is not to cover them.
        in_training = import_module("spectral_priority.measures.in_training")
        measures = in_training.read_instances(arguments.measures, recipe)
    task = Task(images, manifest, arguments.recipe, recipe, arguments.seed, init, teacher, measures)
    several = arguments.gpus > 1 and arguments.device != "cpu" and not is_started_for_each()
    if several and finished_run(task, code, arguments) is None:
        start_for_each(arguments.gpus)
    if int(os.environ.get("RANK", "0")) > 0:  # torchrun's first process does all but a part of each batch
        lease_gpus(arguments.gpus)  # those of the first process
        from spectral_priority.training.run import follow_training

        StopRequest(
            arguments.time_limit_minutes or recipe.time_limit_minutes, started
        )  # the first one decides
        follow_training(task, arguments.device, arguments.threads or recipe.threads)
        return
    targets = {
        CHECKPOINTS: arguments.checkpoints,
        HISTORY: arguments.history,
        CLASS_HISTORY: arguments.class_history,
        RUN: arguments.run,
    }
    with Lock(arguments.work, arguments.lock_wait_minutes) as lock:
        if lock.took_over:
            logging.info("took over the lock of a process that is gone: %s", lock.took_over)
        finished = finished_run(task, code, arguments)
        if finished is not None:
            publish_run(finished, targets, "again")
            clear_after(arguments.work, finished.folder.name)
            if int(os.environ.get("WORLD_SIZE", "1")) > 1:
                lease_gpus(arguments.gpus)
                from spectral_priority.training.run import dismiss_followers

                dismiss_followers(arguments.device)
            logging.info("%s: published again, no step made", task.name)
            return

        if arguments.device != "cpu":
            asked = time.monotonic()
            lease_gpus()
            started += time.monotonic() - asked  # waiting for a GPU is no time of the training's
        stop = StopRequest(arguments.time_limit_minutes or recipe.time_limit_minutes, started)
        from spectral_priority.training.loop import prepare_device  # imports torch, which takes seconds
        from spectral_priority.training.run import run_training

        threads = arguments.threads or recipe.threads
        every = arguments.save_every_seconds
        hook = None
        if measures:
            device = prepare_device(arguments.device, threads).type
            hook = in_training.measuring_hook(task, measures, task.fingerprint(code, device), arguments.work)
        finished = run_training(task, code, lock, arguments.device, threads, stop, every, hook)
        publish_run(finished, targets, "trained")


def finished_run(task: Task, code: str, arguments: argparse.Namespace) -> Finished | None:
    """Find the finished run; with `auto`, one that was finished on either device will do."""
    for device in ("cuda", "cpu") if arguments.device == "auto" else (arguments.device,):
        finished = Finished(arguments.work, task.fingerprint(code, device))
        if finished.is_whole():
            return finished
    return None


def read_recipe(text: str) -> Recipe:
    """Check the options of a recipe, given as JSON."""
    try:
        return Recipe.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise InputError("--options", f"is no JSON ({error})") from None
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(step) for step in fault["loc"])
        raise InputError(f"--options: {field}", f"found {fault['input']!r}; {fault['msg']}") from None


if __name__ == "__main__":
    run(main, arguments())
