"""The layers of a model whose weights are matrices: linear layers, and convolutions as (c_out, c_in·k) (METHODS 6)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ..errors import InputError

KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""Kinds of layers that are looked at; transposed convolutions and embeddings are not among them."""


def weight_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Return the linear layers and convolutions of a model by name, in the order in which they are registered.

    Raises
    ------
    InputError
        Where there is none, and for weights that are not finite.

    Examples
    --------
    >>> list(weight_layers(nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2))))
    ['0', '3']
    """
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, KINDS)}
    if not layers:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise InputError("model", "has no layer whose weights are a matrix", f"one or more of {kinds}")
    for name, layer in layers.items():
        if not layer.weight.isfinite().all():
            raise InputError(
                f"model: {name}",
                "has weights that are not finite (NaN or infinite)",
                "finite weights",
                "the training has diverged: lower its learning rate",
            )
    return layers


def as_matrix(weight: Tensor) -> Tensor:
    """Return a weight (c_out, c_in, …) as a matrix (c_out, c_in·k).

    >>> as_matrix(nn.Conv2d(3, 8, 5).weight).shape
    torch.Size([8, 75])
    """
    return weight.detach().flatten(1)


def number_left_out(model: nn.Module, layers: Mapping[str, nn.Module]) -> int:
    """Return how many parameters of two dimensions or more belong to no such layer (attention's joint projections).

    >>> model = nn.MultiheadAttention(4, 2)
    >>> number_left_out(model, weight_layers(model))
    1
    """
    known = {id(parameter) for layer in layers.values() for parameter in layer.parameters()}
    return sum(parameter.ndim >= 2 and id(parameter) not in known for parameter in model.parameters())
