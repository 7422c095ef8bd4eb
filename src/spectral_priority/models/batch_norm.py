"""Running statistics of batch normalisation, and copies of models with fresh ones."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def has_batch_norm(model: nn.Module) -> bool:
    """Tell whether a model keeps running statistics of batches."""
    return bool(_batch_norms(model))


@torch.no_grad()
def recalibrated(model: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Copy a model, its batch-norm running statistics recomputed as the plain mean over batches (METHODS 2).

    Early in training the running statistics are still near their initial values, and a measure of the model would see
    a function that was never trained. Everything but batch normalisation is in eval mode (no dropout).

    Parameters
    ----------
    model : nn.Module
        It stays as it is.
    batches : iterable of Tensor
        Pixels in [0, 1], (sample, channel, y, x), on the model's device, in batches of about equal size.

    Returns
    -------
    nn.Module
        The copy, in eval mode.
    """
    model = copy.deepcopy(model).eval()
    layers = _batch_norms(model)
    if not layers:
        return model
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the cumulative mean
        layer.train()
    for pixels in batches:
        model(pixels)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return model.eval()


def _batch_norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None
    ]
