"""Weights by name, put into a model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


@torch.no_grad()
def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy a model's weights into it, as `load_state_dict` does.

    That one fails for MNASNet on tensors that come from a file: it asks for a version, which only `state_dict` gives.

    Parameters
    ----------
    model : nn.Module
    weights : mapping
        Name → tensor, with exactly the names and shapes of `model.state_dict()`.

    Raises
    ------
    ValueError
        For the weights of another model.

    Examples
    --------
    >>> one, other = nn.Linear(2, 1), nn.Linear(2, 1)
    >>> load_weights(one, dict(other.state_dict()))
    >>> torch.equal(one.weight, other.weight)
    True
    """
    own = model.state_dict()
    shapes = {name: tensor.shape for name, tensor in own.items()}
    if shapes != {name: tensor.shape for name, tensor in weights.items()}:
        raise ValueError("the weights are another model's")
    for name, tensor in own.items():
        tensor.copy_(weights[name])
