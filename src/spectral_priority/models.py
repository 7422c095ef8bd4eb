"""Models by name: pixels in [0, 1] in, logits out; and copies of them with recomputed batch-norm statistics."""

from __future__ import annotations

import copy
import difflib
from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .config.recipe import Recipe
from .errors import InputError

SMALL_CNN = "small_cnn"
SMALLEST = 8
"""Smallest image side that `small_cnn` takes: its last map is an eighth of it."""


class Normalise(nn.Module):
    """First layer of every model: (x − 0.5) / 0.25, so that gradients are per unit of pixel value (METHODS 2)."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Return pixels (sample, channel, y, x) of [0, 1] as values of [−2, 2]."""
        return (pixels - 0.5) / 0.25


def build_model(recipe: Recipe, classes: int, channels: int, size: int) -> nn.Module:
    """Build the model of a recipe with fresh weights, drawn from torch's random state.

    Parameters
    ----------
    recipe : Recipe
        `model`, `stem` and `width` are read.
    classes : int
        Number of logits.
    channels, size : int
        Channels and side in pixels of the images.

    Returns
    -------
    nn.Module
        Takes float32 pixels in [0, 1], (sample, channel, y, x), returns logits, (sample, class). Its parameters lie
        in channels-last order, the faster one on the CPU and on CUDA.

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
    if recipe.model == SMALL_CNN:
        network = _small_cnn(recipe, classes, channels, size)
    else:
        network = _torchvision_model(recipe, classes, channels, size)
    model = nn.Sequential(OrderedDict(normalise=Normalise(), network=network))
    return model.to(memory_format=torch.channels_last)


def has_batch_norm(model: nn.Module) -> bool:
    """Tell whether a model keeps running statistics of batches."""
    return bool(_batch_norms(model))


@torch.no_grad()
def recalibrated(model: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Copy a model, its batch-norm running statistics recomputed as the plain mean over batches (METHODS 2).

    Early in training the running statistics are still near their initial values, and a measure of the model would see
    a function that was never trained. Everything but batch normalisation is in eval mode (no dropout).

    Parameters
    ----------
    model : nn.Module
        It stays as it is.
    batches : iterable of Tensor
        Pixels in [0, 1], (sample, channel, y, x), on the model's device, in batches of about equal size.

    Returns
    -------
    nn.Module
        The copy, in eval mode.
    """
    model = copy.deepcopy(model).eval()
    layers = _batch_norms(model)
    if not layers:
        return model
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the cumulative mean
        layer.train()
    for pixels in batches:
        model(pixels)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return model.eval()


def _batch_norms(model: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [
        layer
        for layer in model.modules()
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None
    ]


def _small_cnn(recipe: Recipe, classes: int, channels: int, size: int) -> nn.Module:
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
        ("head", nn.Linear(before, classes)),
    ]
    return nn.Sequential(OrderedDict(layers + head))


def _torchvision_model(recipe: Recipe, classes: int, channels: int, size: int) -> nn.Module:
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
        network = torchvision.models.get_model(name, weights=None, num_classes=classes, **options)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise unfit from error
    _fit_stem(network, recipe, channels)
    try:
        with torch.no_grad():
            logits = network.eval()(torch.zeros(1, channels, size, size))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise unfit from error
    if tuple(logits.shape) != (1, classes):
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
