"""What a network makes of images before its head tells the classes: its features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .heads import head_name


@torch.no_grad()
def features(model: nn.Module, pixels: Tensor) -> Tensor:
    """Return what a classifier's head takes.

    Parameters
    ----------
    model : nn.Module
        In eval mode.
    pixels : Tensor (sample, channel, y, x)
        In [0, 1].

    Returns
    -------
    Tensor (sample, feature)
        Of a head that is a convolution (SqueezeNet's) the means over all places.

    Examples
    --------
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 2))
    >>> features(model, torch.rand(5, 1, 2, 2)).shape
    torch.Size([5, 3])
    """
    taken: list[Tensor] = []
    head = model.get_submodule(head_name(model))
    hook = head.register_forward_pre_hook(lambda _, given: taken.append(given[0]))
    try:
        model(pixels)
    finally:
        hook.remove()
    found = taken[0]
    return found.mean(dim=(2, 3)) if found.dim() == 4 else found.flatten(1)
