"""Energy of all images of a probe together, by frequency: what rings of equal energy are made from."""

from __future__ import annotations

import numpy as np
import torch

from .measured_model import to_pixels

PIECE = 1 << 18
"""Bytes of pixels that are transformed at a time."""


def pooled_energy(images: np.ndarray | torch.Tensor) -> np.ndarray:
    """Sum the images' half-plane power, in float64, over images and channels; DC is left out.

    Parameters
    ----------
    images : array or Tensor
        Floating-point (n, channel, N, N) in [0, 1], or uint8 (n, N, N, channel).

    Returns
    -------
    ndarray (N, N//2 + 1)
        Σ |FFT2(x)|², not normalised.

    Examples
    --------
    >>> wave = 0.5 + 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)
    >>> found = pooled_energy(np.tile(wave, (3, 1, 8, 1)))
    >>> float(round(found[0, 1])), float(round(found.sum()))
    (768.0, 768.0)
    """
    number = max(1, PIECE // (int(np.prod(images.shape[1:])) * 8))
    total = 0.0
    for start in range(0, len(images), number):
        pixels = to_pixels(images[start : start + number], torch.float64, torch.device("cpu"))
        power = torch.view_as_real(torch.fft.rfft2(pixels)).square().sum(dim=(1, -1))
        total = total + power[varied(pixels)].sum(dim=0)
    energy = total.numpy()
    energy[0, 0] = 0.0
    return energy


def varied(pixels: torch.Tensor) -> torch.Tensor:
    """Tell which images (n, channel, N, N) have any energy, by their pixels: transforms of constants leave rounding."""
    plane = pixels.flatten(2)
    return (plane != plane[..., :1]).any(dim=2).any(dim=1)
