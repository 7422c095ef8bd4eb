"""Augmentation of a whole batch at once, on the device that it lies on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def flip_crop(raw: Tensor, random: np.random.Generator) -> Tensor:
    """Mirror images at random and shift them by up to an eighth of their side, filling up with zeros.

    Parameters
    ----------
    raw : Tensor (sample, y, x, channel) uint8
        Square images.
    random : Generator
        Source of the draws; the same on every device.

    Returns
    -------
    Tensor (sample, y, x, channel) uint8

    Examples
    --------
    >>> raw = torch.ones(2, 8, 8, 1, dtype=torch.uint8)
    >>> flip_crop(raw, np.random.default_rng(0)).shape
    torch.Size([2, 8, 8, 1])
    """
    number, size = raw.shape[:2]
    reach = size // 8
    down, right = torch.from_numpy(random.integers(-reach, reach + 1, size=(2, number))).to(raw.device)
    mirrored = torch.from_numpy(random.random(number) < 0.5).to(raw.device)
    line = torch.arange(size, device=raw.device)
    # Where each pixel of the result comes from, in an image padded by `reach` on every side.
    rows = line + reach - down[:, None]
    columns = torch.where(mirrored[:, None], size - 1 - line, line) + reach - right[:, None]
    padded = torch.nn.functional.pad(raw, (0, 0, reach, reach, reach, reach))
    sample = torch.arange(number, device=raw.device)
    return padded[sample[:, None, None], rows[:, :, None], columns[:, None, :]]
