"""Weights of a source, put into a model: to start from, or as a teacher. Nothing that could run code is loaded."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from ..config.recipe import Recipe
from ..errors import InputError
from ..models import Embedder, build_model
from ..models.heads import head_name
from ..store.atomic import read_json
from .checkpoints import open_checkpoints
from .finished import RUN
from .sources import Source

CLASS_MEANS = "class_means"
WRAPPERS = ("state_dict", "model")
"""Under these names training programs keep the state dict beside other things."""
AUXILIARY = ("network.AuxLogits.", "network.aux1.", "network.aux2.")
"""Second classifiers of inception_v3 and googlenet, which our models of that name don't have."""
NEEDLESS = "num_batches_tracked"
"""Counts batches of batch normalisation; old files lack it, and no result depends on it."""
TOLD = 3
"""Names per kind of fault that a message gives."""


def initial_weights(source: Source, model: nn.Module, recipe: Recipe) -> None:
    """Load weights into a freshly built model; its head (and an embedding's class means) stay as they were drawn.

    Parameters
    ----------
    source : Source
        A checkpoint of a run, or a file: safetensors or a state dict of torch.save, with our names
        (`network.conv1.weight`) or torchvision's (`conv1.weight`).
    model : nn.Module
        From `build_model`; changed in place.
    recipe : Recipe
        The model's, for messages.

    Raises
    ------
    InputError
        For a file that can't be used; for tensors that are missing, unexpected or of another shape, with the first few
        and the likely cause.
    """
    head = head_name(model) + "."
    weights = {
        name: tensor
        for name, tensor in read_weights(source).items()
        if name != CLASS_MEANS and not name.startswith((head, *AUXILIARY))
    }
    own = model.state_dict()
    wanted = {
        name: tensor for name, tensor in own.items() if name != CLASS_MEANS and not name.startswith(head)
    }
    _copy(weights, wanted, f"{source.path}", recipe)


def load_teacher(
    source: Source, classes: int, channels: int, size: int, device: torch.device | str
) -> nn.Module:
    """Build the model of another run with the weights of one of its checkpoints.

    Batch-norm statistics are the checkpoint's; those of a moving average or of an early step don't fit its weights, and
    `models.recalibrated` gives it fresh ones, as for every model that is scored or measured.

    Parameters
    ----------
    source : Source
        A checkpoint of a run whose run.json lies beside it.
    classes : int
        Number of classes of the tier that it is to teach.
    channels, size : int
        Channels and side in pixels of the images that it is to see.
    device : torch.device

    Returns
    -------
    nn.Module
        Pixels to logits, in eval mode; its parameters need no gradient.

    Raises
    ------
    InputError
        For a damaged file, a run.json of another run, another number of classes, and images that it can't take.
    """
    path = source.path.with_name(RUN)
    facts = read_json(path)
    checkpoints = open_checkpoints(source.path)
    if facts.get("fingerprint") != checkpoints.fingerprint:
        raise InputError(
            path,
            f"has the fingerprint {facts.get('fingerprint')!r}, but {source.path} {checkpoints.fingerprint!r}",
            "files of one training",
            "delete the run's folder; the train rule makes it again",
        )
    try:
        recipe = Recipe.model_validate(facts["options"])
    except (KeyError, ValidationError) as error:
        raise InputError(
            f"{path}: options",
            f"are not those of a recipe ({' '.join(str(error).split())})",
            todo="train the teacher again",
        ) from None
    model = build_model(recipe, classes, channels, size)
    weights = checkpoints.load(source.step)
    outputs = CLASS_MEANS if isinstance(model, Embedder) else f"{head_name(model)}.weight"
    if outputs in weights and len(weights[outputs]) != classes:
        raise InputError(
            source.path,
            f"is a teacher of {len(weights[outputs])} classes",
            f"one of as many as the tier that it is to teach: {classes}",
        )
    _copy(weights, model.state_dict(), f"teacher {source.path}", recipe)
    return model.eval().requires_grad_(False).to(device)


def read_weights(source: Source) -> dict[str, Tensor]:
    """Read the tensors of a source under the names that our models have (`network.…`).

    Raises
    ------
    InputError
        For a damaged file, and for one that holds anything but tensors.
    """
    if source.step is not None:
        return open_checkpoints(source.path).load(source.step)
    loaded = _load(source.path)
    for wrapper in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not all(isinstance(tensor, Tensor) for tensor in loaded.values()):
        raise InputError(source.path, "holds no state dict", "tensors by name")
    weights = {_present_name(name.removeprefix("module.")): tensor for name, tensor in loaded.items()}
    if any(name.startswith("network.") for name in weights):
        return weights
    return {f"network.{name}": tensor for name, tensor in weights.items()}


def _load(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise InputError(path, f"is damaged or no safetensors file ({error})") from None
    try:
        mapped = zipfile.is_zipfile(path)  # older files are pickles alone, and can't be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # damaged bytes can fail anywhere in torch's reader
        raise InputError(
            path,
            f"is damaged or holds more than tensors, and could run code if it were loaded ({type(error).__name__})",
            "safetensors, or a state dict of torch.save",
            "save the state dict alone: torch.save(model.state_dict(), file)",
        ) from None


def _present_name(name: str) -> str:
    """Return today's name of a tensor: torchvision's DenseNet files have an older one."""
    return re.sub(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name)


def _copy(weights: Mapping[str, Tensor], own: Mapping[str, Tensor], where: str, recipe: Recipe) -> None:
    """Copy weights into a model's own tensors, or say why they can't be its weights."""
    misshapen = [name for name in own if name in weights and weights[name].shape != own[name].shape]
    missing = [name for name in own if name not in weights and not name.endswith(NEEDLESS)]
    unexpected = [name for name in weights if name not in own]
    if misshapen or missing or unexpected:
        shapes = [f"{name} {_shape(weights[name])} instead of {_shape(own[name])}" for name in misshapen]
        faults = [
            f"{kind} {_first(names)}"
            for kind, names in (("misses", missing), ("has", unexpected), ("has", shapes))
            if names
        ]
        model = f"the model {recipe.model!r} (stem: {recipe.stem})"
        raise InputError(
            where,
            f"does not fit {model}: it {'; '.join(faults)}",
            todo=_likely_cause(misshapen, weights, own),
        )
    with torch.no_grad():
        for name, tensor in own.items():
            if name in weights:
                tensor.copy_(weights[name])


def _likely_cause(misshapen: list[str], weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    first = next((name for name, tensor in own.items() if tensor.dim() == 4), None)
    if first in misshapen:
        theirs, ours = weights[first].shape, own[first].shape
        if theirs[1] != ours[1]:
            color = {1: "grey", 3: "rgb"}.get(theirs[1], "another number of channels")
            return f"the weights are for images of {theirs[1]} channels, these have {ours[1]}: set color: {color}"
        if theirs[2:] != ours[2:]:
            return "the weights are of a model with another stem: set stem to cifar or to standard, as theirs"
    if any(name.endswith(("pos_embedding", "relative_position_bias_table")) for name in misshapen):
        return "the weights are for images of another size: set the data set's size to theirs"
    return "the weights are of another model or of another width: choose theirs"


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"


def _first(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return ", ".join(names[:TOLD]) + more
