"""How good a model is on some images: loss, accuracy, and counts per class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class Evaluation(NamedTuple):
    """Scores of a model on some images.

    Attributes
    ----------
    loss : float
        Mean cross-entropy in nats.
    accuracy : float
        Share of images whose largest logit is the label's.
    counts : ndarray (class, 3) int64
        Images of the class, images predicted as it, and both.
    """

    loss: float
    accuracy: float
    counts: np.ndarray


@torch.no_grad()
def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> Evaluation:
    """Score a model in eval mode; its mode is restored. Sums are float64.

    Parameters
    ----------
    model : nn.Module
    batches : iterable of (pixels, labels)
        Pixels in [0, 1], (sample, channel, y, x), and labels, (sample,), on the model's device.
    classes : int
        Number of classes.
    """
    training = model.training
    model.eval()
    loss, confusion, number = 0.0, 0, 0
    for pixels, labels in batches:
        logits = model(pixels)
        # Summed on the device: one wait for it at the end, not one per batch.
        loss = loss + nn.functional.cross_entropy(logits.double(), labels, reduction="sum")
        confusion = confusion + torch.bincount(labels * classes + logits.argmax(1), minlength=classes**2)
        number += len(labels)
    model.train(training)
    table = confusion.reshape(classes, classes).cpu().numpy()
    hits = np.diagonal(table)
    counts = np.stack([table.sum(1), table.sum(0), hits], axis=1).astype(np.int64)
    return Evaluation(float(loss) / number, float(hits.sum()) / number, counts)


@torch.no_grad()
def class_means(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> Tensor:
    """Return the mean embedding of each class, (class, embedding), in eval mode; sums are float64.

    Parameters
    ----------
    model : nn.Module
        With a method `embed`; its mode is restored.
    batches : iterable of (pixels, labels)
        Images of every class, on the model's device.
    classes : int
        Number of classes.
    """
    training = model.training
    model.eval()
    total, number = 0, 0
    for pixels, labels in batches:
        members = nn.functional.one_hot(labels, classes).double()
        total = total + members.T @ model.embed(pixels).double()
        number = number + members.sum(0)
    model.train(training)
    return (total / number[:, None]).float()
