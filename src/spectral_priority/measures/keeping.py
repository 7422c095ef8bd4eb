"""What a model answers to images of which only some frequencies are kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from .answers import answers


def answers_to_kept(
    model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, masks: np.ndarray, batch_size: int
) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
    """Give the predicted classes and the losses of images with only the frequencies of each mask.

    Parameters
    ----------
    model : nn.Module
        In eval mode; see `measured_model.measuring`.
    pixels : Tensor (n, channel, N, N)
        At most `batch_size` images, transformed once.
    labels : Tensor (n,) int64
    masks : ndarray (mask, N, N//2 + 1) bool
        On the half plane; both partners of a pair alike. Filtered images are not clipped.
    batch_size : int
        Images per pass through the model.

    Yields
    ------
    part : slice
        Which masks these are.
    predicted : Tensor (masks of the part, n) int64
    loss : Tensor (masks of the part, n) float64
        In nats.
    """
    count, _, size = pixels.shape[:3]
    spectrum = torch.fft.rfft2(pixels)
    together = max(1, batch_size // count)
    of_pass = labels.repeat(together)
    for start in range(0, len(masks), together):
        part = slice(start, min(start + together, len(masks)))
        kept = torch.from_numpy(masks[part]).to(pixels.device)[:, None, None]
        seen = torch.fft.irfft2(spectrum * kept, s=(size, size)).flatten(0, 1)
        predicted, loss = answers(model, seen, of_pass[: len(kept) * count])
        yield part, predicted.view(len(kept), count), loss.view(len(kept), count)
