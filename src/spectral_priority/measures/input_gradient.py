"""Input gradients of any classifier, per sample and numerically stable."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import logsigmoid

from ..errors import InputError
from .measured_model import check_logits


def input_gradient(
    model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, objective: str = "loss"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each sample's input gradient, as a direction and the logarithm of its factor.

    One backward pass of the sum over samples; in eval mode samples don't influence each other. For the
    cross-entropy ℓ = softplus(m) with m = logsumexp_{j≠y} z_j − z_y, ∇ℓ = σ(m)·∇m: m is what is propagated back, so
    that the direction stays exact where ∇ℓ in float32 has lost it (confident samples). The probability of y is
    p = 1 − σ(m), with ∇p = −σ(m)(1−σ(m))·∇m.

    Parameters
    ----------
    model : nn.Module
        In eval mode; pixels in [0, 1] to logits (n, k), k ≥ 2. See `measured_model.measuring`.
    pixels : Tensor (n, channel, N, N)
    labels : Tensor (n,) int64
    objective : {"loss", "margin", "probability"}
        `margin` is z_y − max_{j≠y} z_j.

    Returns
    -------
    gradient : Tensor (n, channel, N, N)
        ∇m, or the gradient of the margin; per unit of pixel value.
    log_factor : Tensor (n,) float64
        The objective's gradient is exp(log_factor) · gradient, but for its sign.

    Raises
    ------
    InputError
        For fewer than two logits, a label that no logit belongs to, logits that don't depend on pixels, and
        gradients that are not finite.

    Notes
    -----
    METHODS 3.
    """
    pixels = pixels.detach().requires_grad_(True)
    logits = model(pixels)
    check_logits(logits, len(labels), labels)
    if not logits.requires_grad:
        raise InputError("model", "has logits that can't be differentiated with respect to the pixels")
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    if objective == "margin":
        scalar = own - others.amax(dim=1)  # where several tie, their gradients are averaged
        log_factor = torch.zeros_like(own, dtype=torch.float64)
    else:
        scalar = torch.logsumexp(others, dim=1) - own
        m = scalar.detach().double()
        log_factor = logsigmoid(m) if objective == "loss" else logsigmoid(m) + logsigmoid(-m)
    (gradient,) = torch.autograd.grad(scalar.sum(), pixels)
    if not (_finite(gradient) and _finite(scalar)):
        raise InputError(
            "gradients",
            "are not finite (NaN or infinite)",
            "finite weights and logits",
            "the training has diverged, or overflows in this precision: lower its learning rate",
        )
    return gradient, log_factor


def _finite(values: torch.Tensor) -> bool:
    """Whether all values are: their sum tells, unless it overflows by itself."""
    return bool(values.sum().isfinite() or values.isfinite().all())
