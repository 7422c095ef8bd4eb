"""The optimiser steps of a training, and its evaluation: on one device, from a position on."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from ..models import build_model, has_batch_norm, recalibrated
from .augmentation import flip_crop
from .batches import EVALUATION, Subset, as_pixels, batch_norm_batches, training_sample
from .evaluation import Evaluation, evaluate
from .optimizer import Optimizer
from .randomness import AUGMENTATION, INITIAL, LAYERS, Order, generator, seed_torch
from .schedule import learning_rate
from .task import Task

LOOK_EVERY = {"cpu": 1, "cuda": 50}
"""Steps between looks at the losses: on CUDA a look waits for the device."""


def prepare_device(name: str, threads: int) -> torch.device:
    """Choose the device and make results repeatable on it.

    Parameters
    ----------
    name : str
        `auto` (CUDA where there is one), `cpu` or `cuda`.
    threads : int
        CPU threads.

    Raises
    ------
    InputError
        Where CUDA is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if name == "cuda" and not cuda:
        raise InputError("--device", "found 'cuda', but torch sees no CUDA device", "'cpu' or 'auto'")
    torch.set_num_threads(threads)
    device = torch.device("cuda" if cuda and name != "cpu" else "cpu")
    if device.type == "cpu":
        # Of the two switches for this, the one that doesn't import torch's compiler.
        torch.set_deterministic_debug_mode("error")
    else:
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = False  # training runs in bfloat16, evaluation is to be exact
        torch.backends.cuda.matmul.allow_tf32 = False
    return device


class Training:
    """A model in training.

    Attributes
    ----------
    model : nn.Module
    step : int
        Optimiser steps made.
    loss_sum, loss_count : float, int
        Of the minibatch losses since they were last set to 0.
    """

    def __init__(self, task: Task, device: torch.device):
        self.task, self.device, recipe = task, device, task.recipe
        images, manifest = task.images, task.manifest
        seed_torch(INITIAL, task.seed)
        model = build_model(recipe, manifest.number_of_classes, images.channels, images.size)
        self.model: nn.Module = model.to(device)
        self.optimizer = Optimizer(recipe, dict(self.model.named_parameters()))
        self.images = Subset(images, manifest.index["train"], manifest.label["train"], device)
        self.validation = Subset(images, manifest.index["validation"], manifest.label["validation"], device)
        self.order = Order(task.seed, len(self.images), recipe.batch_size)
        self.step, self.loss_sum, self.loss_count = 0, 0.0, 0
        self._unseen: list[Tensor] = []

    def take_step(self) -> None:
        """Make one optimiser step; all its random numbers are functions of seed and step."""
        recipe, seed = self.task.recipe, self.task.seed
        raw, labels = self.images.cut(self.order.positions(self.step))
        if recipe.augment == "flip-crop":
            raw = flip_crop(raw, generator(AUGMENTATION, seed, self.step))
        seed_torch(LAYERS, seed, self.step)  # dropout, stochastic depth
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.model(as_pixels(raw))
            loss = nn.functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        loss.backward()
        self.optimizer.step(learning_rate(recipe, self.step))
        self.step += 1
        self._unseen.append(loss.detach())
        if len(self._unseen) >= LOOK_EVERY[self.device.type]:
            self.look_at_losses()

    def look_at_losses(self) -> None:
        """Add the losses of the last steps to their sum; refuse to go on where one is no number.

        Raises
        ------
        InputError
            With the step and epoch of the first such loss.
        """
        if not self._unseen:
            return
        first = self.step - len(self._unseen)
        losses = torch.stack(self._unseen).double().tolist()
        self._unseen.clear()
        for step, loss in enumerate(losses, start=first):
            if not math.isfinite(loss):
                recipe, name = self.task.recipe, self.task.recipe_name
                raise InputError(
                    f"training {self.task.name}",
                    f"the loss is {loss} at step {step} (epoch {step / self.order.steps_per_epoch:.2f})",
                    "a finite loss",
                    f"most likely the learning rate is too high for this model: lower recipes.{name}.learning_rate "
                    f"({recipe.learning_rate:g}) or let it rise slowly (schedule: one-cycle)",
                )
            self.loss_sum += loss
            self.loss_count += 1

    def evaluate(self) -> tuple[Evaluation, Evaluation]:
        """Score the model on the fixed training images and on the validation images, in float32, eval mode.

        A model with batch normalisation is scored as a copy with recomputed running statistics (METHODS 2).
        """
        task, model = self.task, self.model
        if has_batch_norm(model) and task.recipe.batch_norm_images:
            count = task.recipe.batch_norm_images
            model = recalibrated(model, batch_norm_batches(task.images, task.manifest, count, self.device))
        fixed = training_sample(task.manifest, task.recipe.evaluation_images, EVALUATION)
        classes = task.manifest.number_of_classes
        return (
            evaluate(model, self.images.batches(fixed), classes),
            evaluate(model, self.validation.batches(), classes),
        )

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that training goes on from."""
        weights = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        return weights | {f"optimizer/{name}": tensor for name, tensor in self.optimizer.buffers.items()}

    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` returned after `step` steps."""
        own = self.tensors()
        if set(own) != set(tensors):
            raise ValueError("the saved tensors are of another model or optimiser")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(tensors[name])
        self.step = step


def count_parameters(model: nn.Module) -> int:
    """Return the number of trained parameters.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(int(np.prod(parameter.shape)) for parameter in model.parameters() if parameter.requires_grad)
