"""What a model answers to images, whatever was done to their pixels: predicted classes and losses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from ..errors import InputError
from .measured_model import check_images, check_logits, device_of, precision_of, to_pixels


@dataclass(frozen=True)
class Labelled:
    """Checked images with labels and identities, as every measure of answers takes them.

    Attributes
    ----------
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).
    labels : ndarray (n,) int64
    ids : ndarray (n,)
        Identity of each image: random draws and jackknife groups follow from it.
    size : int
        N.
    """

    images: np.ndarray | torch.Tensor
    labels: np.ndarray
    ids: np.ndarray
    size: int

    @property
    def chance(self) -> float:
        """Accuracy of the best constant answer: the largest class share."""
        return float(np.unique(self.labels, return_counts=True)[1].max() / len(self.labels))

    def batches(
        self, model: nn.Module, batch_size: int
    ) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
        """Give the images of each batch: their places, pixels (n, channel, N, N) and labels on the model's device."""
        kind, where = precision_of(model), device_of(model)
        for start in range(0, len(self.labels), batch_size):
            batch = slice(start, start + batch_size)
            yield (
                batch,
                to_pixels(self.images[batch], kind, where),
                torch.from_numpy(self.labels[batch]).to(where),
            )


def labelled(
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
) -> Labelled:
    """Check images, labels, ids (by default positions) and class names against each other.

    Raises
    ------
    InputError
        Naming what is wrong with which of them.
    """
    count, size = check_images(images, labels)
    ids = np.arange(count) if image_ids is None else np.asarray(image_ids)
    if ids.shape != (count,):
        raise InputError("image_ids", f"found shape {ids.shape}", f"one id per image, ({count},)")
    if ids.dtype.kind not in "iu" or ids.min() < 0:
        raise InputError("image_ids", f"found {ids.dtype}, from {ids.min()}", "whole numbers from 0 on")
    labels = np.asarray(labels.cpu() if isinstance(labels, torch.Tensor) else labels).astype(np.int64)
    if class_names is not None and len(class_names) <= labels.max():
        raise InputError("class_names", f"found {len(class_names)}, but a label is {labels.max()}")
    return Labelled(images, labels, ids, size)


def answers(
    model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the predicted class (the first of equal ones) and the loss of each image.

    Parameters
    ----------
    model : nn.Module
        In eval mode; pixels to logits (n, k), k ≥ 2. See `measured_model.measuring`.
    pixels : Tensor (n, channel, N, N)
    labels : Tensor (n,) int64

    Returns
    -------
    predicted : Tensor (n,) int64
    loss : Tensor (n,) float64
        Cross-entropy in nats, as softplus(logsumexp_{j≠y} z_j − z_y): exact for confident answers too.

    Raises
    ------
    InputError
        For logits of a wrong shape, labels that no logit belongs to, and logits that are not finite.
    """
    with torch.no_grad():
        logits = model(pixels)
        check_logits(logits, labels)
        if not logits.isfinite().all():
            raise InputError(
                "logits",
                "are not finite (NaN or infinite)",
                "finite weights and logits",
                "the training has diverged, or overflows in this precision: lower its learning rate",
            )
        exact = logits.double()
        own = exact.gather(1, labels[:, None])
        others = exact.scatter(1, labels[:, None], -torch.inf)
        return logits.argmax(dim=1), -logsigmoid((own - torch.logsumexp(others, dim=1, keepdim=True))[:, 0])
