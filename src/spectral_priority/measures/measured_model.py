"""A model as it is measured: in eval mode, in full precision, on pixels in [0, 1]; afterwards it is as it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from .. import fourier
from ..errors import InputError
from ..models import has_batch_norm, recalibrated

if TYPE_CHECKING:
    from .probe import Probe

RECALIBRATION_BATCH = 256
"""Most images per batch when batch-norm statistics are recomputed; fixed, so that `batch_size` can't matter."""


def with_fresh_batch_norm(model: nn.Module, probe: Probe, images: int) -> tuple[nn.Module, int]:
    """Copy a model and recompute its batch-norm statistics from a probe's training images (METHODS 2).

    Parameters
    ----------
    model : nn.Module
    probe : Probe
    images : int
        Most training images to use; 0: none.

    Returns
    -------
    model : nn.Module
        The copy; the model itself where there is nothing to recompute.
    number : int
        Training images that were used.
    """
    number = min(images, len(probe.training)) if has_batch_norm(model) else 0
    if number:
        how = precision_of(model), device_of(model), layout_of(model)
        parts = np.array_split(probe.training[:number], -(-number // RECALIBRATION_BATCH))
        with full_precision():
            model = recalibrated(model, (to_pixels(part, *how) for part in parts))
    return model, number


@contextlib.contextmanager
def measuring(model: nn.Module, device: str | torch.device | None = None) -> Iterator[nn.Module]:
    """Give a model in eval mode for measuring; afterwards the model, and torch's settings, are as they were.

    Inside, parameters ask for no gradients, autocast and TF32 are off and cuDNN is deterministic. On another device
    than its own, a copy is measured.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise InputError(
                f"model: {name}",
                "is batch normalisation without running statistics: images of one batch influence each other",
                "track_running_stats=True",
            )
    where = device_of(model)
    if device is not None and torch.device(device) != where:
        model, where = copy.deepcopy(model).to(device), torch.device(device)
    asking = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in asking:
            parameter.requires_grad_(False)
        with (
            evaluating(model),
            _images_spared(model),
            full_precision(),
            torch.autocast(where.type, enabled=False),
            torch.inference_mode(False),
            torch.enable_grad(),
        ):
            yield model
    finally:
        for parameter in asking:
            parameter.requires_grad_(True)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode; afterwards every part is in the mode that it was in."""
    training = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in training:
            module.training = mode


@contextlib.contextmanager
def _images_spared(model: nn.Module) -> Iterator[None]:
    """Give a model copies of its images, unless its first pass shows that it doesn't write into them.

    A first layer that works in place (`Normalize(inplace=True)`, `ReLU(inplace=True)`) would change the images that the
    next pass is made from.
    """

    def copy_images(_: nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (given[0].clone(), *given[1:])

    def look(_: nn.Module, given: tuple[torch.Tensor, ...], __: object) -> None:
        if not given[0]._version:
            stop()

    def stop() -> None:
        for hook in hooks:
            hook.remove()

    hooks = [model.register_forward_pre_hook(copy_images), model.register_forward_hook(look)]
    try:
        yield
    finally:
        stop()


def device_of(model: nn.Module) -> torch.device:
    """Return the device of a model's parameters; the CPU for one that has none."""
    return next((tensor.device for tensor in model.parameters()), torch.device("cpu"))


def precision_of(model: nn.Module) -> torch.dtype:
    """Return the floating-point type of a model's parameters: float32 or float64.

    Raises
    ------
    InputError
        For half precision, which is too coarse for input gradients.
    """
    kind = next((tensor.dtype for tensor in model.parameters() if tensor.is_floating_point()), torch.float32)
    if kind not in (torch.float32, torch.float64):
        raise InputError("model", f"has {kind} parameters", "float32 or float64", "give model.float()")
    return kind


def layout_of(model: nn.Module) -> torch.memory_format:
    """Return the order in memory of the images that a model is fastest with: channels last where its weights lie so."""
    last = torch.channels_last
    weights = (tensor for tensor in model.parameters() if tensor.ndim == 4 and not tensor.is_contiguous())
    return (
        last
        if any(tensor.is_contiguous(memory_format=last) for tensor in weights)
        else torch.contiguous_format
    )


def check_images(images: np.ndarray | torch.Tensor, labels: np.ndarray | torch.Tensor) -> tuple[int, int]:
    """Check shapes of images and labels; return the number of images and their side N.

    Raises
    ------
    InputError
        Naming what is wrong with which of the two.
    """
    layout = "uint8 (n, N, N, channel) or floating-point (n, channel, N, N)"
    for name, given, wanted in (("images", images, layout), ("labels", labels, "whole numbers (n,)")):
        if not isinstance(getattr(given, "shape", None), tuple):
            raise InputError(name, f"found {type(given).__name__}", f"an array or a tensor, {wanted}")
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[0] == 0:
        raise InputError("images", f"found shape {shape}", layout)
    side = shape[1:3] if _is_packed(images) else shape[2:4]
    try:
        size = fourier.check_square(side)
    except ValueError:
        raise InputError(
            "images",
            f"found {images.dtype} of shape {shape}: {side[0]}×{side[1]} pixels",
            f"square images of at least 4×4 pixels, {layout}",
            "crop or resize them first",
        ) from None
    if tuple(labels.shape) != (shape[0],):
        raise InputError(
            "labels", f"found shape {tuple(labels.shape)}", f"one label per image, ({shape[0]},)"
        )
    if not str(labels.dtype).removeprefix("torch.").startswith(("int", "uint")):
        raise InputError("labels", f"found {labels.dtype}", "whole numbers")
    return shape[0], size


def to_pixels(
    images: np.ndarray | torch.Tensor,
    kind: torch.dtype,
    device: torch.device,
    layout: torch.memory_format = torch.contiguous_format,
) -> torch.Tensor:
    """Bring a batch of images to (n, channel, N, N) in [0, 1] on a device; volumes, to (n, channel, …).

    `layout` is their order in memory: contiguous for transforms, `layout_of` a model that sees them as they are.

    Raises
    ------
    InputError
        For pixels that are NaN or outside [0, 1].
    """
    packed, layout = _is_packed(images), layout if len(images.shape) == 4 else torch.contiguous_format
    if not isinstance(
        images, torch.Tensor
    ):  # torch takes no negative strides, foreign byte orders, read-only memory
        images = torch.from_numpy(np.require(to_numpy(images), requirements=["C", "W"]))
    batch = images.to(device)
    if packed:
        return batch.movedim(-1, 1).to(kind, memory_format=layout).div_(255)
    batch = batch.detach().to(kind, memory_format=layout)
    if not ((batch >= 0) & (batch <= 1)).all():
        found = "NaN" if batch.isnan().any() else f"values from {batch.min():.3g} to {batch.max():.3g}"
        raise InputError(
            "images", f"found {found}", "pixels in [0, 1]", "make the normalisation the model's first layer"
        )
    return batch


def to_numpy(values: np.ndarray | torch.Tensor) -> np.ndarray:
    """Return an array in this machine's order of bytes, and a tensor as one: detached, in a type that NumPy has."""
    if not isinstance(values, torch.Tensor):
        values = np.asarray(values)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def check_logits(logits: torch.Tensor, count: int, labels: np.ndarray | torch.Tensor) -> None:
    """Check that a model returned logits (n, k), n the number of images, k ≥ 2, and that every label has one.

    Raises
    ------
    InputError
        Naming what was returned.
    """
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != count:
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise InputError("model", f"returns {found}", "logits of shape (n, classes)")
    classes = logits.shape[1]
    if classes < 2:
        raise InputError(
            "model",
            "returns one logit",
            "two or more",
            "return torch.cat([torch.zeros_like(z), z], 1) instead",
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= classes:
        raise InputError(
            "labels",
            f"found {low if low < 0 else high}",
            f"0 … {classes - 1}, for the model has {classes} logits",
        )


def _is_packed(images: np.ndarray | torch.Tensor) -> bool:
    return str(images.dtype).removeprefix("torch.") == "uint8"


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Compute float32 products in float32 (no TF32, no bfloat16), by the same kernels every time."""
    places = [torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.mkldnn.matmul,
              torch.backends.mkldnn.conv]  # fmt: skip
    before = [place.fp32_precision for place in places]
    cudnn = torch.backends.cudnn
    deterministic, benchmark = cudnn.deterministic, cudnn.benchmark
    try:
        for place in places:
            place.fp32_precision = "ieee"
        cudnn.deterministic, cudnn.benchmark = True, False
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision
        cudnn.deterministic, cudnn.benchmark = deterministic, benchmark
