"""A whole training: goes on from what was saved, saves as it goes, keeps what it finished."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..program import Stopped
from ..progress import bar
from ..store.atomic import write_json
from ..store.finished import Finished
from ..store.provenance import provenance
from .attempts import Attempts, steps_run
from .checkpoints import assemble, part_name, write_checkpoints
from .finished import CHECKPOINTS, CLASS_HISTORY, HISTORY, RUN
from .history import CLASS_HISTORY as CLASS_COLUMNS
from .history import HISTORY as COLUMNS
from .history import class_rows, history_row, label_entropy, write_rows
from .lock import Lock
from .loop import Training, count_parameters, prepare_device
from .ranks import Ranks, sharing
from .schedule import checkpoint_steps, learning_rate
from .state import Progress, load_state, save_state
from .task import Task, check_task
from .work_folder import ATTEMPTS, PARTS, clear

Stop = Callable[[int], str | None]
"""Asked before every step with the steps of this attempt: says why to stop now, None to go on."""
AtCheckpoint = Callable[[int, nn.Module], None]
"""Called with the step and the model at every checkpoint before its state is saved; called again if it was not."""


def run_training(
    task: Task,
    code: str,
    lock: Lock,
    device: str = "auto",
    threads: int = 1,
    stop: Stop = lambda steps_made: None,
    save_every_seconds: float = 30.0,
    at_checkpoint: AtCheckpoint | None = None,
) -> Finished:
    """Train a task to its end, and keep the finished run in the lock's folder, ready for `finished.publish_run`.

    Parameters
    ----------
    task : Task
        What to train.
    code : str
        Code fingerprint of the program.
    lock : Lock
        Held by the caller; the resumable state lies in its folder.
    device : str
        `auto`, `cpu` or `cuda`.
    threads : int
        CPU threads.
    stop : function
        See `Stop`.
    save_every_seconds : float
        Time between saved states; checkpoints save too. No result depends on it.
    at_checkpoint : function, optional
        See `AtCheckpoint`: the hook for measures inside training.

    Returns
    -------
    Finished
        The kept run.

    Raises
    ------
    InputError
        Where the task can't be trained, another process took the lock over, the loss is no number, or the disk is
        full.
    Stopped
        Where `stop` said so; the state is saved.
    """
    check_task(task)
    chosen = prepare_device(device, threads, task.recipe.deterministic)
    fingerprint = task.fingerprint(code, chosen.type)
    with closing(Ranks(chosen, *sharing(chosen))) as ranks:
        ranks.told(TRAIN)
        with closing(Training(task, chosen, ranks)) as training:
            run = _Run(task, fingerprint, training, threads, lock, at_checkpoint)
            run.resume()
            run.train(stop, save_every_seconds)
    finished = Finished(lock.folder, fingerprint)
    finished.keep(lambda folder: run.write_results(folder, code))
    clear(lock.folder)
    return finished


def follow_training(task: Task, device: str = "auto", threads: int = 1) -> None:
    """Share a training that another process leads (see `ranks`), to its end.

    Raises
    ------
    Stopped
        Where the first process stopped it.
    """
    chosen = prepare_device(device, threads, task.recipe.deterministic)
    if sharing(chosen) == (1, 0):
        return
    with closing(Ranks(chosen, *sharing(chosen))) as ranks:
        if ranks.told(None) != TRAIN:
            return
        with closing(Training(task, chosen, ranks)) as training:
            training.step = ranks.told(None)
            ranks.copy_from_first(training.tensors())
            while (word := ranks.told(None)) != END:
                if word == STEP:
                    training.take_step()
                else:
                    training.look_at_losses()
                if word == STOP:
                    raise Stopped(f"{task.name}: stopped at step {training.step}")


def dismiss_followers(device: str) -> None:
    """Tell the processes that would have shared this training that there is nothing to do."""
    chosen = prepare_device(device, threads=1)
    with closing(Ranks(chosen, *sharing(chosen))) as ranks:
        ranks.told(None)


TRAIN, STEP, KEEP, SAVE, STOP, END = "train", "step", "keep a checkpoint", "save", "stop", "end"
"""What the first process of a training tells the others to do next."""


class _Run:
    """One attempt at a training."""

    def __init__(
        self,
        task: Task,
        fingerprint: str,
        training: Training,
        threads: int,
        lock: Lock,
        at_checkpoint: AtCheckpoint | None,
    ):
        self.task, self.fingerprint, self.training, self.lock = task, fingerprint, training, lock
        self.at_checkpoint = at_checkpoint
        self.work = lock.folder
        self.started = time.monotonic()
        self.threads = threads
        self.attempts = Attempts(self.work / ATTEMPTS, fingerprint)
        self.entropy = label_entropy(training.label)
        self.history: list[dict[str, Any]] = []
        self.counts: list[np.ndarray] = []  # by row of the history: counts per class
        self.step_seconds = 0.0
        self.attempt = self.first_step = 0

    def resume(self) -> None:
        """Go on from the saved state, if there is one."""
        saved = load_state(self.work, self.fingerprint, logging.warning, self._keeps_weights)
        known = {}
        if saved:
            progress, tensors = saved
            self.counts = list(tensors.pop("class_counts").numpy())
            self.training.restore(progress.step, tensors)
            self.training.loss_sum, self.training.loss_count = progress.loss_sum, progress.loss_count
            self.history, self.step_seconds = progress.history, progress.step_seconds
            known[progress.attempt] = progress.attempt_seconds
            logging.info("going on from step %d of %d", progress.step, self.task.recipe.steps)
            if progress.threads != self.threads:
                logging.warning(
                    "the state was saved by %d CPU threads, now there are %d: the last digits of results can depend "
                    "on that",
                    progress.threads,
                    self.threads,
                )
        ranks = self.training.ranks
        ranks.told(self.training.step)
        ranks.copy_from_first(self.training.tensors())
        self.first_step = self.training.step
        self.attempt = self.attempts.begin(self.first_step, known)

    def train(self, stop: Stop, save_every_seconds: float) -> None:
        """Make the steps that are left, with a checkpoint wherever one is due."""
        training, steps, told = self.training, self.task.recipe.steps, self.training.ranks.told
        due = set(checkpoint_steps(self.task.recipe, self.task.steps_per_epoch))
        due -= {row["step"] for row in self.history}
        with bar(f"train {self.task.name}", steps, "step", initial=training.step) as shown:
            saved_at = before = time.monotonic()
            while True:
                if training.step in due:
                    told(KEEP)
                    self._keep_checkpoint()
                    self._save()
                    due.discard(training.step)
                    saved_at = before = time.monotonic()
                    shown.set_postfix(loss=f"{self.history[-1]['fixed_train_loss']:.3f}", refresh=False)
                elif before - saved_at >= save_every_seconds:
                    told(SAVE)
                    self._save()
                    saved_at = before = time.monotonic()
                if training.step == steps:
                    told(END)
                    break
                self.lock.check()
                reason = stop(training.step - self.first_step)
                if reason:
                    told(STOP)
                    self._stop(reason)
                told(STEP)
                training.take_step()
                shown.update()
                now = time.monotonic()
                self.step_seconds += now - before
                before = now
        self.attempts.end(self.attempt, training.step, self._seconds(), "finished")

    def write_results(self, folder: Path, code: str) -> None:
        """Write the four files of the finished run into a folder."""
        task, rows, recipe = self.task, self.history, self.task.recipe
        kept = [row["step"] for row in rows if self._keeps_weights(row["step"])]
        assemble((self.work / PARTS / part_name(step) for step in kept), folder / CHECKPOINTS)
        write_rows(folder / HISTORY, COLUMNS, rows)
        names = task.manifest.class_names
        classes = (
            class_row
            for row, counts in zip(rows, self.counts, strict=True)
            for class_row in class_rows(row["step"], row["epoch"], counts, names)
        )
        write_rows(folder / CLASS_HISTORY, CLASS_COLUMNS, classes)
        attempts = self.attempts.read()
        device = self.training.device
        write_json(
            folder / RUN,
            {
                "tier": task.manifest.facts["tier"],
                "recipe": task.recipe_name,
                "seed": task.seed,
                "options": recipe.model_dump(mode="json"),
                "init": task.init and task.init.facts(),
                "teacher": task.teacher and task.teacher.facts(),
                "fingerprint": self.fingerprint,
                "code": code,
                "manifest_sha256": task.manifest.sha256,
                "data_sha256": task.images.content_sha256,
                "parameters": count_parameters(self.training.model),
                "steps": recipe.steps,
                "epochs": recipe.steps / task.steps_per_epoch,
                "steps_per_epoch": task.steps_per_epoch,
                "checkpoint_steps": [row["step"] for row in rows],
                "training_images": len(self.training.label),
                "attempts": attempts,
                "optimizer_steps_run": steps_run(attempts),
                "published": "trained",
                "seconds": round(sum(attempt["seconds"] or 0.0 for attempt in attempts), 3),
                "images_per_second": round(recipe.steps * recipe.batch_size / self.step_seconds, 1),
                "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
                "threads": self.threads,
                "provenance": provenance(),
            },
        )

    def _keeps_weights(self, step: int) -> bool:
        return not self.task.recipe.measure_during_training or step == self.task.recipe.steps

    def _keep_checkpoint(self) -> None:
        training, recipe = self.training, self.task.recipe
        training.look_at_losses()
        step = training.step
        look = training.look()
        if self.at_checkpoint is not None:
            self.at_checkpoint(step, look.model)
        if self._keeps_weights(step):
            part = self.work / PARTS / part_name(step)
            write_checkpoints(part, {step: look.model.state_dict()}, self.fingerprint)
        self.history.append(
            history_row(
                step,
                self.task.steps_per_epoch,
                recipe.batch_size,
                learning_rate(recipe, step),
                training.loss_sum / training.loss_count if training.loss_count else None,
                look.fixed_train,
                look.validation,
                self.entropy,
            )
        )
        self.counts.append(look.validation.counts)
        training.loss_sum, training.loss_count = 0.0, 0

    def _save(self) -> None:
        self.lock.check()
        training = self.training
        training.look_at_losses()
        progress = Progress(
            step=training.step,
            history=self.history,
            loss_sum=training.loss_sum,
            loss_count=training.loss_count,
            attempt=self.attempt,
            attempt_seconds=self._seconds(),
            step_seconds=self.step_seconds,
            threads=self.threads,
        )
        classes = self.task.manifest.number_of_classes
        counts = np.stack(self.counts) if self.counts else np.empty((0, classes, 3), dtype=np.int64)
        tensors = {"class_counts": torch.from_numpy(counts), **training.tensors()}
        save_state(self.work, self.fingerprint, progress, tensors)

    def _stop(self, reason: str) -> None:
        self._save()
        step = self.training.step
        self.attempts.end(self.attempt, step, self._seconds(), "stopped")
        raise Stopped(
            f"{self.task.name}: stopped at step {step} of {self.task.recipe.steps} ({reason}); its state is saved, "
            "the same command goes on from there"
        )

    def _seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)
