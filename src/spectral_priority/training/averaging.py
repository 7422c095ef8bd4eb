"""An exponential moving average of the weights (Polyak and Juditsky 1992)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """The average of a model's weights over its training.

    After s steps the decay is min(decay, (1 + s)/(10 + s)), so that the first average is not the initial weights.

    Parameters
    ----------
    model : nn.Module
        Its present weights are the first average.
    decay : float
        Per step.

    Attributes
    ----------
    weights : dict of Tensor
        Averaged parameters by name.

    Examples
    --------
    >>> model = nn.Linear(1, 1)
    >>> average = Average(model, decay=0.5)
    >>> _ = nn.init.constant_(model.bias, 2.0), nn.init.zeros_(average.weights["bias"])
    >>> average.update(steps=90)
    >>> average.weights["bias"].item()
    1.0
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay = model, decay
        self.weights: dict[str, Tensor] = {
            name: parameter.detach().clone() for name, parameter in model.named_parameters()
        }

    @torch.no_grad()
    def update(self, steps: int) -> None:
        """Take the model's weights after `steps` optimiser steps into the average."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.weights.values()), list(self.model.parameters()), 1 - decay)

    @torch.no_grad()
    def averaged(self) -> nn.Module:
        """Return a copy of the model with the averaged weights; other tensors (batch-norm statistics) as they are."""
        made = copy.deepcopy(self.model)
        for name, parameter in made.named_parameters():
            parameter.copy_(self.weights[name])
        return made
