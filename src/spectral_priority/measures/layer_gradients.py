"""Weight gradients of groups of samples from one backward pass: each layer's ∇W = Aᵀ Δ, by rows (METHODS 6).

A are a layer's inputs, Δ the derivatives of the loss by its outputs (adjoints). The rows of a group give its part of
∇W, and the parts of all groups add up to ∇W, also where batch normalisation couples the samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from .weight_layers import weight_layers

Uses = dict[str, list[tuple[Tensor, Tensor]]]
"""By layer: inputs A and adjoints Δ of each time that it was used; empty where no gradient reached it."""
Rows = slice | Tensor
"""Which samples of a pass."""


@contextmanager
def recording(layers: Mapping[str, nn.Module]) -> Iterator[Uses]:
    """Record inputs and adjoints of layers in the backward passes that are run inside.

    Layers called by another way than themselves (attention's output projection) are not seen.

    Raises
    ------
    InputError
        In a backward pass, for a layer whose input was overwritten in place after it was used.
    """
    uses: Uses = {name: [] for name in layers}

    def remember(name: str):
        def forward(layer, args, kwargs, output):
            if not output.requires_grad:
                return
            given = args[0] if args else kwargs["input"]
            version = given._version

            def backward(adjoint):
                if given._version != version:
                    raise InputError(
                        f"model: {name}", "has an input that is overwritten in place later", "inplace=False"
                    )
                uses[name].append((given.detach(), adjoint.detach()))

            # A hook of the tensor, not of the module: it also holds where the next layer works in place.
            output.register_hook(backward)

        return forward

    hooks = [layer.register_forward_hook(remember(name), with_kwargs=True) for name, layer in layers.items()]
    try:
        yield uses
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def group_gradients(model: nn.Module, groups: np.ndarray | Tensor) -> Iterator[dict[str, Tensor]]:
    """Take the weight gradients of groups of samples from a training step's own backward pass.

    Parameters
    ----------
    model : nn.Module
        In any mode; batch normalisation may couple its samples.
    groups : array or Tensor (n,)
        Group of each sample of the batch: a class, or any other label.

    Yields
    ------
    dict of Tensor
        Filled when the block is left: by layer, (group, c_out, c_in·k) float64, groups in ascending order. They add up
        to the layer's `weight.grad` of this pass. Layers that no gradient reached are left out. Every layer must see
        samples first: rows of a transformer that puts tokens first would be taken for other samples' (`gradient_svd`
        refuses it; here batch normalisation may couple samples, so it can't be told).

    Raises
    ------
    InputError
        For a model without linear layers and convolutions, or another number of samples than of groups.

    Notes
    -----
    METHODS 6; Baker, Calhoun, Plis 2024 (arXiv 2406.11825).

    Examples
    --------
    >>> model, images = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten(), nn.Linear(16, 2)), torch.rand(6, 1, 4, 4, 4)
    >>> labels = torch.tensor([0, 0, 1, 1, 1, 0])
    >>> with group_gradients(model, labels) as gradients:
    ...     nn.functional.cross_entropy(model(images), labels).backward()
    >>> torch.linalg.svdvals(gradients["2"]).shape
    torch.Size([2, 2])
    >>> torch.allclose(gradients["2"].sum(0).float(), model[2].weight.grad)
    True
    """
    groups = torch.as_tensor(groups)
    layers, found = weight_layers(model), {}
    with recording(layers) as uses:
        yield found
    for name, layer in layers.items():
        if uses[name]:
            members = [
                (groups == group).nonzero()[:, 0].to(uses[name][0][0].device) for group in groups.unique()
            ]
            found[name] = torch.stack(
                [
                    sum(
                        weight_gradient(layer, *of_rows(layer, *use, rows, len(groups))) for use in uses[name]
                    )
                    for rows in members
                ]
            )


def of_rows(layer: nn.Module, inputs: Tensor, adjoints: Tensor, rows: Rows, count: int) -> tuple[Tensor, ...]:
    """Return inputs and adjoints of some of `count` samples.

    Where a layer sees several rows per sample (the windows of a Swin transformer), they must lie one behind another.

    Raises
    ------
    InputError
        Where the number of rows is no multiple of the number of samples.
    """
    if len(inputs) % count:
        raise InputError(
            f"model: {type(layer).__name__}",
            f"takes {len(inputs)} rows for {count} samples",
            "the same number of rows for each sample, samples first",
        )
    return tuple(
        part.unflatten(0, (count, len(part) // count))[rows].flatten(0, 1) for part in (inputs, adjoints)
    )


def weight_gradient(layer: nn.Module, inputs: Tensor, adjoints: Tensor) -> Tensor:
    """Return ∇W = Δᵀ A of a layer as a matrix (c_out, c_in·k) float64: its weight's layout."""
    if isinstance(layer, nn.Linear):
        return adjoints.flatten(0, -2).double().T @ inputs.flatten(0, -2).double()
    kind = adjoints.dtype if adjoints.dtype == torch.float64 else torch.float32
    padding = layer.padding
    if isinstance(padding, str) or layer.padding_mode != "zeros":
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        inputs, padding = nn.functional.pad(inputs, layer._reversed_padding_repeated_twice, mode=mode), 0
    of_kind = getattr(nn.grad, f"conv{inputs.ndim - 2}d_weight")
    size = layer.weight.shape
    geometry = (layer.stride, padding, layer.dilation, layer.groups)
    return of_kind(inputs.to(kind), size, adjoints.to(kind), *geometry).double().flatten(1)


def applied(layer: nn.Module, weight: Tensor, inputs: Tensor) -> Tensor:
    """Return what a layer would make of its inputs with another weight (rows, c_in·k) and no bias."""
    weight = weight.to(inputs.dtype)
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(inputs, weight)
    # The layer's own function: it knows all kinds of padding.
    return layer._conv_forward(inputs, weight.unflatten(1, layer.weight.shape[1:]), None)


def along(
    layer: nn.Module, u: Tensor, slopes: Tensor, v: Tensor, inputs: Tensor, adjoints: Tensor, count: int
) -> Tensor:
    """Return ⟨u diag(s) vᵀ, ∇W_i⟩ (slope, count) float64 of each sample, for several slopes s; no ∇W_i is made.

    Parameters
    ----------
    u, v : Tensor (c_out, r), (r, c_in·k)
    slopes : Tensor (slope, r) float64
    """
    if getattr(layer, "groups", 1) > 1:  # a row of vᵀ sees other channels for each group of outputs
        of_slopes = [applied(layer, (u * slope) @ v, inputs) * adjoints for slope in slopes]
        return torch.stack([part.reshape(count, -1).sum(dim=1, dtype=torch.float64) for part in of_slopes])
    seen, u = applied(layer, v, inputs), u.to(adjoints.dtype)
    if isinstance(layer, nn.Linear):
        by_direction = (seen * (adjoints @ u)).reshape(count, -1, len(v))
    else:
        turned = torch.einsum("ncx,cr->nrx", adjoints.flatten(2), u)
        by_direction = (seen.flatten(2) * turned).sum(dim=2, dtype=torch.float64).reshape(count, -1, len(v))
    return slopes @ by_direction.sum(dim=1, dtype=torch.float64).T


def sketched(
    layer: nn.Module, left: Tensor, right: Tensor, inputs: Tensor, adjoints: Tensor, count: int
) -> Tensor:
    """Return P ∇W_i Q (count, p, q) float64 of each sample, for P (p, c_out) and Q (c_in·k, q); no ∇W_i is made."""
    if isinstance(layer, nn.Linear):
        seen = applied(layer, right.T, inputs).reshape(count, -1, right.shape[1])
        adjoints = adjoints.reshape(count, -1, adjoints.shape[-1])
        return left @ torch.einsum("irc,irq->icq", adjoints, seen).double()
    groups = layer.groups
    seen = applied(layer, right.T.repeat(groups, 1), inputs)
    seen = seen.reshape(count, -1, groups, right.shape[1], seen[0, 0].numel())
    adjoints = adjoints.reshape(count, -1, groups, adjoints.shape[1] // groups, seen.shape[-1])
    return left @ torch.einsum("imgcx,imgqx->igcq", adjoints, seen).flatten(1, 2).double()


class SummedGradient:
    """The weight gradient of a group, added up pass by pass, and its singular value decomposition.

    Where a linear layer has seen fewer rows than either of its widths, the rows are kept instead of the sum, and the
    decomposition is that of a small matrix: with the QR decompositions Δᵀ = Q_d R_d, Aᵀ = Q_a R_a it is ∇W = Δᵀ A
    = Q_d (R_d R_aᵀ) Q_aᵀ.
    """

    def __init__(self, layer: nn.Module):
        self.layer = layer
        self.shape = tuple(layer.weight.flatten(1).shape)
        self._sum: Tensor | None = None
        self._rows: list[tuple[Tensor, Tensor]] = []

    def add(self, inputs: Tensor, adjoints: Tensor) -> None:
        """Add inputs and adjoints of one use of the layer."""
        if self._sum is None and isinstance(self.layer, nn.Linear):
            self._rows.append((inputs.flatten(0, -2).double(), adjoints.flatten(0, -2).double()))
            if sum(len(rows) for rows, _ in self._rows) >= min(self.shape):
                self._sum = sum(adjoint.T @ rows for rows, adjoint in self._rows)
                self._rows = []
            return
        gradient = weight_gradient(self.layer, inputs, adjoints)
        self._sum = gradient if self._sum is None else self._sum.add_(gradient)

    def decomposed(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return u (c_out, r), σ (r,), vᵀ (r, c_in·k) of the sum, float64; r = min(rows, c_out, c_in·k)."""
        if self._sum is not None:
            return torch.linalg.svd(self._sum, full_matrices=False)
        inputs, adjoints = (torch.cat(parts) for parts in zip(*self._rows, strict=True))
        q_adjoints, r_adjoints = torch.linalg.qr(adjoints.T)
        q_inputs, r_inputs = torch.linalg.qr(inputs.T)
        u, values, v = torch.linalg.svd(r_adjoints @ r_inputs.T)
        return q_adjoints @ u, values, v @ q_inputs.T
