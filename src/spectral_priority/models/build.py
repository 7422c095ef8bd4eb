"""From a recipe to its model, with fresh weights."""

from __future__ import annotations

import difflib
from collections import OrderedDict

import torch
from torch import nn

from ..config.recipe import Recipe
from ..errors import InputError
from .layers import Embedder, Normalise

SMALL_CNN = "small_cnn"
SMALLEST = 8
"""Smallest image side that `small_cnn` takes: its last map is an eighth of it."""


def build_model(recipe: Recipe, classes: int, channels: int, size: int) -> nn.Module:
    """Build the model of a recipe with fresh weights, drawn from torch's random state.

    Parameters
    ----------
    recipe : Recipe
        `model`, `stem`, `width`, `normalisation`, `objective` and `embedding` are read.
    classes : int
        Number of logits.
    channels, size : int
        Channels and side in pixels of the images.

    Returns
    -------
    nn.Module
        Takes float32 pixels in [0, 1], (sample, channel, y, x), returns logits, (sample, class). Its parameters lie
        in channels-last order, the faster one on the CPU and on CUDA. For the triplet objective it is an `Embedder`.

    Raises
    ------
    InputError
        For a model that is not known, a stem it doesn't have, or an image size it can't take.

    Examples
    --------
    >>> model = build_model(Recipe(width=4), classes=3, channels=1, size=16)
    >>> model(torch.rand(2, 1, 16, 16)).shape
    torch.Size([2, 3])
    """
    embeds = recipe.objective == "triplet"
    outputs = recipe.embedding if embeds else classes
    normalise = Normalise(recipe.normalisation, channels)
    if recipe.model == SMALL_CNN:
        network = _small_cnn(recipe, outputs, channels, size)
    else:
        network = _torchvision_model(recipe, outputs, channels, size)
    if embeds:
        model = Embedder(normalise, network, classes, outputs)
    else:
        model = nn.Sequential(OrderedDict(normalise=normalise, network=network))
    return model.to(memory_format=torch.channels_last)


def _small_cnn(recipe: Recipe, outputs: int, channels: int, size: int) -> nn.Module:
    """Four 3×3 convolutions; the first keeps the resolution, so that the highest ring reaches a learned layer."""
    if recipe.stem != "standard":
        raise InputError(f"stem of {SMALL_CNN}", f"found {recipe.stem!r}", "'standard'")
    if size < SMALLEST:
        raise InputError(SMALL_CNN, f"images of {size} pixels are too small", f"{SMALLEST} pixels or more")
    layers: list[tuple[str, nn.Module]] = []
    before = channels
    for number, (factor, stride) in enumerate([(1, 1), (2, 2), (2, 2), (4, 2)], start=1):
        width = factor * recipe.width
        layers += [
            (f"convolution{number}", nn.Conv2d(before, width, 3, stride, padding=1, bias=False)),
            (f"norm{number}", nn.BatchNorm2d(width)),
            (f"relu{number}", nn.ReLU(inplace=True)),
        ]
        before = width
    head = [
        ("pool", nn.AdaptiveAvgPool2d(1)),
        ("flatten", nn.Flatten()),
        ("head", nn.Linear(before, outputs)),
    ]
    return nn.Sequential(OrderedDict(layers + head))


def _torchvision_model(recipe: Recipe, outputs: int, channels: int, size: int) -> nn.Module:
    import torchvision  # seconds of start-up, which `small_cnn` needn't pay

    name = recipe.model
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        close = difflib.get_close_matches(name, [SMALL_CNN, *known], n=1, cutoff=0.0)[0]
        raise InputError(
            "model",
            f"found {name!r} (did you mean {close!r}?)",
            f"{SMALL_CNN}, or a classifier of torchvision.models",
        )
    unfit = InputError(
        f"model {name}",
        f"can't take images of {size} pixels",
        todo="choose another model or size (datasets: size)",
    )
    options: dict[str, object] = {}
    if name.startswith("vit_"):
        options["image_size"] = size
    elif name.startswith("maxvit"):
        options["input_size"] = (size, size)
    elif name in ("googlenet", "inception_v3"):
        options |= {"aux_logits": False, "init_weights": True}
    try:
        network = torchvision.models.get_model(name, weights=None, num_classes=outputs, **options)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise unfit from error
    _fit_stem(network, recipe, channels)
    try:
        with torch.no_grad():
            made = network.eval()(torch.zeros(1, channels, size, size))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise unfit from error
    if tuple(made.shape) != (1, outputs):
        raise unfit
    return network.train()


def _fit_stem(network: nn.Module, recipe: Recipe, channels: int) -> None:
    """Give the first convolution the right channels, and a ResNet its stem for small images."""
    path, first = next(
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)
    )
    parent, _, attribute = path.rpartition(".")
    if recipe.stem == "cifar":
        if not (path == "conv1" and hasattr(network, "maxpool")):
            raise InputError(
                f"stem of {recipe.model}", "found 'cifar'", "'standard' (only ResNets have both)"
            )
        network.maxpool = nn.Identity()
        replaced = nn.Conv2d(channels, first.out_channels, 3, stride=1, padding=1, bias=False)
        nn.init.kaiming_normal_(replaced.weight, mode="fan_out", nonlinearity="relu")
    elif first.in_channels != channels:
        replaced = nn.Conv2d(
            channels,
            first.out_channels,
            first.kernel_size,
            first.stride,
            first.padding,
            first.dilation,
            bias=first.bias is not None,
            padding_mode=first.padding_mode,
        )
        nn.init.kaiming_normal_(replaced.weight, mode="fan_out", nonlinearity="relu")
    else:
        return
    setattr(network.get_submodule(parent), attribute, replaced)
