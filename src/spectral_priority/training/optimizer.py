"""The optimisers, as torch's own fused kernels on plain buffers.

The classes of torch.optim import torch's compiler, which takes as long as importing torch itself; the functions below
them don't, and their buffers have names, so that saving them needs no pickle.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from ..config.recipe import Recipe

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Decay of AdamW's running moments, and what is added to its denominator: torch's own values."""


class Optimizer:
    """SGD with Nesterov momentum, or AdamW (Loshchilov and Hutter 2019); weight decay on every parameter.

    Parameters
    ----------
    recipe : Recipe
        `optimizer`, `momentum` and `weight_decay` are read.
    parameters : mapping
        Name → parameter.

    Attributes
    ----------
    buffers : dict of Tensor
        All that it remembers, by `<kind>/<parameter>`.
    """

    def __init__(self, recipe: Recipe, parameters: Mapping[str, Tensor]):
        self.recipe, self.parameters = recipe, dict(parameters)
        self.buffers: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            if recipe.optimizer == "sgd":
                self.buffers[f"momentum/{name}"] = torch.zeros_like(parameter)
            else:
                self.buffers[f"mean/{name}"] = torch.zeros_like(parameter)
                self.buffers[f"square/{name}"] = torch.zeros_like(parameter)
                self.buffers[f"step/{name}"] = torch.zeros((), dtype=torch.float32, device=parameter.device)

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Change the parameters along their gradients, and drop the gradients."""
        names = [name for name, parameter in self.parameters.items() if parameter.grad is not None]
        parameters = [self.parameters[name] for name in names]
        gradients = [parameter.grad for parameter in parameters]
        common = {
            "fused": True,
            "lr": learning_rate,
            "weight_decay": self.recipe.weight_decay,
            "maximize": False,
        }
        if self.recipe.optimizer == "sgd":
            momentum = self.recipe.momentum
            sgd(
                parameters,
                gradients,
                self._all("momentum", names),
                momentum=momentum,
                dampening=0.0,
                nesterov=momentum > 0,
                has_sparse_grad=False,
                **common,
            )
        else:
            adamw(
                parameters,
                gradients,
                self._all("mean", names),
                self._all("square", names),
                [],
                self._all("step", names),
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                eps=EPSILON,
                **common,
            )
        for parameter in parameters:
            parameter.grad = None

    def _all(self, kind: str, names: list[str]) -> list[Tensor]:
        return [self.buffers[f"{kind}/{name}"] for name in names]
