"""What single frequencies of an image are to its loss: removed one by one, exactly, or by the derivative of amplitudes.

A frequency is removed from all channels together with its Hermitian partner; DC stays. With orthonormal X = FFT2(x),

    x − w·Re(X(u,v)·wave(u,v)) ÷ N,   w = 2, or 1 where (u, v) is its own partner,

so an image is transformed once, and every removal is an update of its pixels. Frequencies are in the order of
`half_plane.frequency_pairs`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn

from .. import filtering, half_plane
from .answers import answers
from .draws import keyed_uniform
from .input_gradient import input_gradient
from .labelled_images import LabelledImages

IMAGES = 16
"""Most images whose removals go through the model together: they share the waves, which need not be made again."""


def images_by_class(given: LabelledImages, at_most: int, seed: int) -> dict[int, np.ndarray]:
    """Return the positions of each class's images, by id; at most some of them, drawn by (seed, id); 0: all."""
    order = np.lexsort((given.image_ids, keyed_uniform(seed, given.image_ids)))
    chosen = {}
    for number in np.unique(given.labels).tolist():
        mine = order[given.labels[order] == number][: at_most or None]
        chosen[number] = mine[np.argsort(given.image_ids[mine], kind="stable")]
    return chosen


def batches(count: int, batch_size: int) -> list[slice]:
    """Return slices of images that go through `loss_increases` together."""
    together = min(IMAGES, batch_size)
    return [slice(start, start + together) for start in range(0, count, together)]


def loss_increases(
    model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, batch_size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each image's cross-entropy, and by how much it grows when a frequency is removed, for every frequency.

    Parameters
    ----------
    model : nn.Module
        In eval mode; see `measured_model.measuring`.
    pixels : Tensor (n, channel, N, N)
        At most `batch_size` images.
    labels : Tensor (n,) int64
    batch_size : int
        Images per pass through the model; an image with a frequency removed is one.

    Returns
    -------
    loss : Tensor (n,) float64, in nats
    increase : Tensor (n, pairs) float64, in nats

    Raises
    ------
    InputError
        For fewer than two logits, a label that no logit belongs to, and logits that are not finite.
    """
    count, channels, size = pixels.shape[:3]
    flat = pixels.reshape(1, count * channels, size * size)
    coefficients = _coefficients(pixels).movedim(-2, 0).reshape(-1, count * channels, 2)
    together = max(1, batch_size // count)
    of_pass = labels.repeat(together)
    _, loss = answers(model, pixels, labels)
    increase = loss.new_empty(len(coefficients), count)
    for start in range(0, len(coefficients), together):
        part = coefficients[start : start + together]
        number = len(part)
        waves = _waves(size, start, number, pixels.dtype, pixels.device)
        removed = torch.baddbmm(flat.expand(number, -1, -1), part, waves, alpha=-1)
        removed = removed.view(number * count, channels, size, size)
        of_removed = answers(model, removed, of_pass[: number * count])[1]
        increase[start : start + number] = of_removed.view(number, count)
    return loss, increase.T - loss[:, None]


def amplitude_derivatives(model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the derivative of each image's cross-entropy when a frequency fades, for every frequency: (n, pairs).

    −w·Re Σ_channel conj(G(u,v))·X(u,v), with G the transform of the input gradient: exact for small changes of
    amplitude, and no substitute for removal. One backward pass; float64, in nats per amplitude as a whole.
    """
    direction, log_factor = input_gradient(model, pixels, labels)
    gradient, image = (torch.fft.rfft2(of.double(), norm="ortho") for of in (direction, pixels))
    row, column, weight = _pairs(pixels.shape[-1], pixels.device)
    product = (gradient.conj() * image).real.sum(dim=1)[:, row, column]
    return -weight * product * log_factor.exp()[:, None]


def _coefficients(pixels: torch.Tensor) -> torch.Tensor:
    """Factors of cos and sin of each frequency in an image: (n, channel, pairs, 2)."""
    size = pixels.shape[-1]
    row, column, weight = _pairs(size, pixels.device)
    found = torch.fft.rfft2(pixels.double(), norm="ortho")[..., row, column] * (weight / size)
    return torch.stack([found.real, -found.imag], dim=-1).to(pixels.dtype)


def _waves(size: int, start: int, number: int, kind: torch.dtype, device: torch.device) -> torch.Tensor:
    """cos and sin of 2π(u·y + v·x) ÷ N for some frequencies: (number, 2, N·N)."""
    row, column, _ = (of[start : start + number] for of in _pairs(size, device))
    cosine, sine = _plane_waves(size, kind, device)
    down, across = ((cosine[of], sine[of]) for of in (row, column))
    waves = cosine.new_empty(number, 2, size, size)
    for position, (first, second, sign) in enumerate([(0, 1, -1), (1, 0, 1)]):
        torch.mul(down[first][:, :, None], across[0][:, None, :], out=waves[:, position])
        waves[:, position].addcmul_(down[second][:, :, None], across[1][:, None, :], value=sign)
    return waves.view(number, 2, size * size)


@cache
def _pairs(size: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    row, column = torch.from_numpy(np.array(half_plane.frequency_pairs(size).T)).to(device)
    return row, column, torch.from_numpy(np.array(half_plane.pair_weights(size))).to(device)


@cache
def _plane_waves(size: int, kind: torch.dtype, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    waves = filtering.plane_waves(size)
    return tuple(torch.from_numpy(np.array(part)).to(device, kind) for part in (waves.real, waves.imag))
