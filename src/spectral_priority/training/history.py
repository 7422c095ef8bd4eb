"""What a run's history files say: a row per checkpoint, and a row per checkpoint and class. Imports no torch."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..store.atomic import atomic

if TYPE_CHECKING:
    from .evaluation import Evaluation

HISTORY = (
    "step",
    "epoch",
    "images_seen",
    "learning_rate",
    "train_loss",
    "fixed_train_loss",
    "fixed_train_accuracy",
    "loss_fraction",
    "validation_loss",
    "validation_accuracy",
    "chance",
    "corrected_accuracy",
)
CLASS_HISTORY = ("step", "epoch", "class", "n", "recall", "precision", "f1")


def label_entropy(labels: np.ndarray) -> float:
    """Return the entropy of the labels' distribution in nats: the loss of a model that knows only that.

    >>> round(label_entropy(np.array([0, 0, 1, 1])), 4)
    0.6931
    """
    share = np.bincount(labels) / len(labels)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())


def history_row(
    step: int,
    steps_per_epoch: int,
    batch_size: int,
    learning_rate: float,
    train_loss: float | None,
    fixed_train: Evaluation,
    validation: Evaluation,
    entropy: float,
) -> dict[str, Any]:
    """Return a row of history.csv.

    Parameters
    ----------
    step, steps_per_epoch, batch_size : int
        Optimiser steps so far; full batches in an epoch; images per step.
    learning_rate : float
        Of the step that follows.
    train_loss : float or None
        Mean over the minibatches since the last row; None (an empty field) at step 0.
    fixed_train, validation : Evaluation
        Scores on the fixed training images and on the validation images.
    entropy : float
        Label entropy of the training images in nats.
    """
    support = validation.counts[:, 0]
    chance = float(support.max() / support.sum())
    return {
        "step": step,
        "epoch": step / steps_per_epoch,
        "images_seen": step * batch_size,
        "learning_rate": learning_rate,
        "train_loss": train_loss,
        "fixed_train_loss": fixed_train.loss,
        "fixed_train_accuracy": fixed_train.accuracy,
        "loss_fraction": fixed_train.loss / entropy,
        "validation_loss": validation.loss,
        "validation_accuracy": validation.accuracy,
        "chance": chance,
        "corrected_accuracy": (validation.accuracy - chance) / (1 - chance),
    }


def class_rows(
    step: int, epoch: float, counts: np.ndarray, class_names: Sequence[str]
) -> Iterable[dict[str, Any]]:
    """Go through the rows of class_history.csv of one checkpoint.

    Recall, precision and F1 of a class of which there are validation images, but which is never predicted, are 0. Of a
    class without validation images they are not defined: the fields stay empty.

    Parameters
    ----------
    counts : ndarray (class, 3) int64
        Images of the class, images predicted as it, and both.
    """
    for name, (number, predicted, hits) in zip(class_names, counts.tolist(), strict=True):
        scores = (
            (hits / number, hits / predicted if predicted else 0.0, 2 * hits / (number + predicted))
            if number
            else (None, None, None)
        )
        yield dict(zip(CLASS_HISTORY, (step, epoch, name, number, *scores), strict=True))


def write_rows(target: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV, atomically; numbers keep every digit, None is an empty field."""
    with atomic(target) as path, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
