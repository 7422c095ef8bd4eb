"""Augmentation of a batch, on the device that it lies on: whole tensors at once, or a torchvision transform."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..config.recipe import Recipe
from ..errors import InputError
from .randomness import AUGMENTATION, generator, seed_torch

Augment = Callable[[Tensor, int, int], Tensor]
"""(raw images (sample, y, x, channel) uint8, seed, step) → raw images: all draws are functions of seed and step."""


def augmentation(recipe: Recipe, name: str, size: int, channels: int) -> Augment | None:
    """Return the augmentation of a recipe, None for `none`.

    Parameters
    ----------
    recipe : Recipe
        `augment` and `augment_options` are read.
    name : str
        The recipe's, for messages.
    size, channels : int
        Of the images.

    Raises
    ------
    InputError
        For a transform that torchvision doesn't have, that doesn't take the options, or that makes no image of the
        same size.
    """
    if recipe.augment == "none":
        return None
    if recipe.augment == "flip-crop":
        return lambda raw, seed, step: flip_crop(raw, generator(AUGMENTATION, seed, step))
    transform = _torchvision_transform(recipe, name)
    try:
        made = transform(torch.zeros(channels, size, size, dtype=torch.uint8))
        found = f"{tuple(made.shape)}, {made.dtype}"
    except Exception as error:  # a transform may raise anything for images that it doesn't take
        found = f"{type(error).__name__}: {error}"
    wanted = f"{(channels, size, size)}, {torch.uint8}"
    if found != wanted:
        raise InputError(
            f"recipes.{name}.augment: {recipe.augment}",
            f"makes of an image ({wanted}): {found}",
            "an image of the same size and type",
            "give its arguments in augment_options, or choose another transform",
        )

    def each_image(raw: Tensor, seed: int, step: int) -> Tensor:
        seed_torch(AUGMENTATION, seed, step)
        images = [transform(image) for image in raw.permute(0, 3, 1, 2).contiguous()]
        return torch.stack(images).permute(0, 2, 3, 1)

    return each_image


def _torchvision_transform(recipe: Recipe, name: str) -> Callable[[Tensor], Tensor]:
    from torchvision.transforms import v2  # seconds of start-up, which other recipes needn't pay

    batchwise = ("MixUp", "CutMix")  # they mix labels too
    known = [
        key
        for key, value in vars(v2).items()
        if inspect.isclass(value) and issubclass(value, v2.Transform) and key not in ("Transform", *batchwise)
    ]
    if recipe.augment not in known:
        close = difflib.get_close_matches(recipe.augment, ["none", "flip-crop", *known], n=1, cutoff=0.0)
        raise InputError(
            f"recipes.{name}.augment",
            f"found {recipe.augment!r} (did you mean {close[0]!r}?)",
            "none, flip-crop, or an image transform of torchvision.transforms.v2",
        )
    try:
        return getattr(v2, recipe.augment)(**recipe.augment_options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"recipes.{name}.augment_options",
            f"found {recipe.augment_options!r} ({error})",
            f"arguments of {recipe.augment}{inspect.signature(getattr(v2, recipe.augment))}",
        ) from None


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
    number, size, _, channels = raw.shape
    reach = size // 8
    down, right = torch.from_numpy(reach - random.integers(-reach, reach + 1, size=(2, number))).to(
        raw.device
    )
    mirrored = torch.from_numpy(np.flatnonzero(random.random(number) < 0.5)).to(raw.device)
    padded = torch.nn.functional.pad(raw, (0, 0, reach, reach, reach, reach))
    # Every window of every padded image, as a view: (sample, from row, from column, y, x · channel).
    windows = padded.flatten(2).unfold(1, size, 1).unfold(2, size * channels, channels)
    sample = torch.arange(number, device=raw.device)
    cut = windows[sample, down, right].view(number, size, size, channels)
    return cut.index_copy_(0, mirrored, cut[mirrored].flip(2))
