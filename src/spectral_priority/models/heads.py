"""Which layer of a model makes its outputs."""

from __future__ import annotations

from torch import nn


def head_name(model: nn.Module) -> str:
    """Return the name of a classifier's head: its last linear layer or convolution (SqueezeNet's classifier is one).

    Parameters
    ----------
    model : nn.Module
        Its layers are registered in the order in which they are used, as torchvision's are.

    Examples
    --------
    >>> head_name(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Flatten()))
    '2'
    """
    return [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
