"""Small models and random images for tests of measures."""

import numpy as np
import torch
from torch import nn


def network(size=12, channels=3, classes=4, seed=0, kind=torch.float32):
    torch.manual_seed(seed)
    inner = size - 2
    layers = [nn.Conv2d(channels, 5, 3), nn.Tanh(), nn.Flatten(), nn.Linear(5 * inner * inner, classes)]
    return nn.Sequential(*layers).to(kind)


def linear(weight):
    """A model whose logits are linear in the pixels: weight (classes, channel, N, N)."""
    layer = nn.Linear(weight[0].numel(), len(weight), bias=False, dtype=weight.dtype)
    layer.weight.data = weight.flatten(1)
    return nn.Sequential(nn.Flatten(), layer)


def images(count=30, size=12, channels=3, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
    return pixels, rng.integers(0, classes, count)
