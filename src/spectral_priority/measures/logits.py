"""A classifier's logits, checked, in float64; no gradients."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InputError


def logits_of(model: nn.Module, pixels: torch.Tensor, highest: int) -> torch.Tensor:
    """Return the logits (n, k) of pixels (n, channel, N, N) in float64.

    Parameters
    ----------
    model : nn.Module
        In eval mode; see `measured_model.measuring`.
    pixels : Tensor
    highest : int
        The highest label, for which there must be a logit.

    Raises
    ------
    InputError
        For anything but finite logits of two or more classes, the highest label among them.

    Examples
    --------
    >>> logits_of(nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), torch.rand(5, 3, 4, 4), 1).shape
    torch.Size([5, 2])
    """
    with torch.no_grad():
        logits = model(pixels)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(pixels):
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError("model", f"returns {found}", "logits of shape (n, classes)")
    classes = logits.shape[1]
    if classes < 2:
        raise InputError(
            "model",
            "returns one logit",
            "two or more",
            "return torch.cat([torch.zeros_like(z), z], 1) instead",
        )
    if highest >= classes:
        raise InputError(
            "labels", f"found {highest}", f"0 … {classes - 1}, for the model has {classes} logits"
        )
    if not logits.isfinite().all():
        raise InputError(
            "logits",
            "are not finite (NaN or infinite)",
            "finite weights and logits",
            "the training has diverged, or overflows in this precision: lower its learning rate",
        )
    return logits.double()
