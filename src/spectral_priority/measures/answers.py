"""What a model answers to images, whatever was done to their pixels: logits, predicted classes and losses."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from ..errors import InputError
from .measured_model import check_logits


def logits_of(model: nn.Module, pixels: torch.Tensor, labels: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Return the logits (n, k) of pixels (n, channel, N, N), in float64 and without gradients.

    Parameters
    ----------
    model : nn.Module
        In eval mode; see `measured_model.measuring`.
    pixels : Tensor
    labels : array or Tensor of whole numbers
        There must be a logit for each of them.

    Raises
    ------
    InputError
        For logits of a wrong shape, labels that no logit belongs to, and logits that are not finite.

    Examples
    --------
    >>> logits_of(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), torch.rand(5, 3, 4, 4), np.array([0, 1])).shape
    torch.Size([5, 2])
    """
    with torch.no_grad():
        logits = model(pixels)
    check_logits(logits, len(pixels), labels)
    if not logits.isfinite().all():
        raise InputError(
            "logits",
            "are not finite (NaN or infinite)",
            "finite weights and logits",
            "the training has diverged, or overflows in this precision: lower its learning rate",
        )
    return logits.double()


def predicted_classes(model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the predicted class (n,) of each image, the first of equal ones; see `logits_of`."""
    return logits_of(model, pixels, labels).argmax(dim=1)


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
        As `logits_of`.
    """
    logits = logits_of(model, pixels, labels)
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return logits.argmax(dim=1), -logsigmoid((own - torch.logsumexp(others, dim=1, keepdim=True))[:, 0])
