"""Targets that swing along a wave in the space of images (METHODS 10; Fridovich-Keil et al. 2022, method 1).

The target of an image is y(1 − a n) + a n/C, with n = 1 + sin of a phase: that is label smoothing with a weight a n of
its own for each image.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from ..config.recipe import FourierWave, RadialWave
from ..errors import InputError


@torch.no_grad()
def wave_weights(
    noise: RadialWave | FourierWave, batches: Iterable[tuple[Tensor, Tensor]], normalise: nn.Module
) -> Tensor:
    """Return the share of each image's target that is spread evenly over the classes, a n.

    Parameters
    ----------
    noise : RadialWave or FourierWave
    batches : iterable of (pixels, labels)
        The training images in order, unaugmented: pixels in [0, 1], (sample, channel, y, x).
    normalise : nn.Module
        The model's first layer: x is what it returns.

    Returns
    -------
    Tensor (sample,) float32
        In [0, 2 a], on the pixels' device.

    Raises
    ------
    InputError
        For a direction that images of this size don't have.
    """
    place = []
    for pixels, _ in batches:
        x = normalise(pixels).double().flatten(1)
        if isinstance(noise, RadialWave):
            place.append(x.norm(dim=1))
        else:
            channels, size = pixels.shape[1], pixels.shape[2]
            direction = fourier_direction(noise.direction, channels, size)
            place.append(x @ torch.from_numpy(direction).to(x.device).flatten())
    along = torch.cat(place)
    if isinstance(noise, RadialWave):
        along = along - (along.mean() if noise.centre is None else noise.centre)
    swing = 1 + torch.sin(2 * torch.pi * noise.frequency * along)
    return (noise.amount * swing).float()


def fourier_direction(frequency: tuple[int, int], channels: int, size: int) -> np.ndarray:
    """Return the Fourier basis image cos 2π(v·y + u·x)/N, the same in every channel, of L2 norm 1.

    Parameters
    ----------
    frequency : (int, int)
        (v, u), cycles/image down and across.
    channels, size : int
        Of the images.

    Returns
    -------
    ndarray (channel, y, x) float64

    Raises
    ------
    InputError
        Beyond the Nyquist frequency.

    Examples
    --------
    >>> float((fourier_direction((0, 4), 3, 32) ** 2).sum().round(12))
    1.0
    """
    v, u = frequency
    if max(abs(v), abs(u)) > size // 2:
        raise InputError(
            "label_noise.direction",
            f"found {list(frequency)}",
            f"cycles/image from {-(size // 2)} to {size // 2} for images of {size} pixels",
        )
    line = np.arange(size)
    wave = np.cos(2 * np.pi * (v * line[:, None] + u * line[None, :]) / size)
    image = np.broadcast_to(wave, (channels, size, size))
    return image / np.sqrt((image**2).sum())
