"""Train one model on one tier, and keep its weights and scores along the way.

Killed or stopped, the same command goes on from the state in its work folder and ends with the same weights. Started
again after it finished, it publishes the finished run without one optimiser step, unless options, data or code changed.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from pathlib import Path

from pydantic import ValidationError

from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import PackedImages
from spectral_priority.data.manifest import read_manifest
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import expect_code
from spectral_priority.program import parser, run
from spectral_priority.store.finished import Finished
from spectral_priority.training.finished import CHECKPOINTS, CLASS_HISTORY, HISTORY, RUN, publish_run
from spectral_priority.training.lock import Lock
from spectral_priority.training.stopping import StopRequest
from spectral_priority.training.task import Task


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
    images = PackedImages(arguments.images)
    manifest = read_manifest(arguments.manifest, arguments.indices)
    task = Task(images, manifest, arguments.recipe, recipe, arguments.seed)
    targets = {
        CHECKPOINTS: arguments.checkpoints,
        HISTORY: arguments.history,
        CLASS_HISTORY: arguments.class_history,
        RUN: arguments.run,
    }
    with Lock(arguments.work, arguments.lock_wait_minutes) as lock:
        if lock.took_over:
            logging.info("took over the lock of a process that is gone: %s", lock.took_over)
        # With `auto`, a run that was finished on either device will do.
        for device in ("cuda", "cpu") if arguments.device == "auto" else (arguments.device,):
            finished = Finished(arguments.work, task.fingerprint(code, device))
            if finished.is_whole():
                publish_run(finished, targets, "again")
                logging.info("%s: published again, no step made", task.name)
                return

        stop = StopRequest(arguments.time_limit_minutes or recipe.time_limit_minutes, started)
        from spectral_priority.training.run import run_training  # imports torch, which takes seconds

        threads = arguments.threads or recipe.threads
        every = arguments.save_every_seconds
        finished = run_training(task, code, lock, arguments.device, threads, stop, every)
        publish_run(finished, targets, "trained")


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
