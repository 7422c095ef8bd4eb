"""The optimiser steps of a training, and its evaluation: from a position on, on one device or in step with others."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..config.recipe import Shuffled
from ..errors import InputError
from ..models import Normalise, build_model, has_batch_norm, recalibrated
from .augmentation import augmentation
from .averaging import Average
from .batches import CLASS_MEANS, EVALUATION, Subset, as_pixels, batch_norm_batches, fixed_sample
from .evaluation import Evaluation, class_means, evaluate
from .examples import balanced, training_examples
from .feed import Feed
from .label_noise import wave_weights
from .objectives import CrossEntropy, Objective, Triplet
from .optimizer import Optimizer
from .randomness import INITIAL, LAYERS, Order, seed_torch
from .ranks import Ranks
from .schedule import learning_rate
from .task import Task
from .weights import initial_weights, load_teacher

LOOK_EVERY = {"cpu": 1, "cuda": 50}
"""Steps between looks at the losses: on CUDA a look waits for the device."""
DIVERGED = 1000.0
"""A loss so many times that of a model that knows nothing does not come back."""
MEANS_PER_CLASS = 50
"""Training images of which the class means of embeddings are taken."""


def prepare_device(name: str, threads: int, deterministic: bool = False) -> torch.device:
    """Choose the device and make results repeatable on it.

    Parameters
    ----------
    name : str
        `auto` (CUDA where there is one), `cpu` or `cuda`.
    threads : int
        CPU threads.
    deterministic : bool
        Bit-equal repetitions on CUDA too; on the CPU they always are.

    Raises
    ------
    InputError
        Where CUDA is asked for and there is none.
    """
    cuda = torch.cuda.is_available()
    if name == "cuda" and not cuda:
        raise InputError("--device", "found 'cuda', but torch sees no CUDA device", "'cpu' or 'auto'")
    torch.set_num_threads(threads)
    # Repeatable kernels bring it along that all new memory is overwritten, lest it be read: up to a tenth of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False
    if not cuda or name == "cpu":
        # Of the two switches for this, the one that doesn't import torch's compiler.
        torch.set_deterministic_debug_mode("error")
        return torch.device("cpu")
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
        torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = False  # training runs in bfloat16, evaluation is to be exact
    torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


class Look(NamedTuple):
    """What a checkpoint keeps of a training.

    Attributes
    ----------
    model : nn.Module
        The weights to keep: the averaged ones where there is an average.
    fixed_train, validation : Evaluation
        Scores on the fixed training images and on the validation images.
    """

    model: nn.Module
    fixed_train: Evaluation
    validation: Evaluation


class Training:
    """A model in training.

    Parameters
    ----------
    task : Task
    device : torch.device
    ranks : Ranks
        The processes that share it; None: this one alone.

    Attributes
    ----------
    model : nn.Module
    index, label : ndarray (sample,) int64
        The images that it learns from, and their labels.
    step : int
        Optimiser steps made.
    loss_sum, loss_count : float, int
        Of the minibatch losses since they were last set to 0.
    """

    def __init__(self, task: Task, device: torch.device, ranks: Ranks | None = None):
        self.task, self.device, recipe = task, device, task.recipe
        self.ranks = Ranks(device) if ranks is None else ranks
        images, manifest, self.classes = task.images, task.manifest, task.manifest.number_of_classes
        seed_torch(INITIAL, task.seed)
        model = build_model(recipe, self.classes, images.channels, images.size)
        if task.init is not None:
            initial_weights(task.init, model, recipe)
        self.model: nn.Module = model.to(device)
        self.optimizer = Optimizer(recipe, dict(self.model.named_parameters()))
        self.average = Average(self.model, recipe.ema) if recipe.ema else None
        self.index, self.label = training_examples(manifest, recipe)
        self.images = Subset(images, self.index, self.label, device)
        self.validation = Subset(images, manifest.index["validation"], manifest.label["validation"], device)
        self.augment = augmentation(recipe, task.recipe_name, images.size, images.channels)
        self.objective = self._objective()
        share = self.ranks.share(recipe.batch_size)
        self.feed = Feed(self.images, lambda step: self.objective.positions(step)[share], recipe.steps)
        forward = self.ranks.synchronised(self.model)
        if recipe.compile and device.type == "cuda":
            forward = torch.compile(forward)
        self._loss = self.ranks.joined(_Loss(forward, self.objective))
        self.step, self.loss_sum, self.loss_count = 0, 0.0, 0
        self._unseen: list[Tensor] = []

    def take_step(self) -> None:
        """Make one optimiser step; all its random numbers are functions of seed and step."""
        recipe, seed, ranks = self.task.recipe, self.task.seed, self.ranks
        positions, raw, labels = self.feed.take(self.step)
        if self.augment is not None:
            raw = self.augment(raw, seed, self.step * ranks.number + ranks.rank)
        seed_torch(LAYERS, seed, self.step * ranks.number + ranks.rank)  # dropout, stochastic depth
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self._loss(as_pixels(raw), labels, self.step, positions)
        loss.backward()
        self.optimizer.step(learning_rate(recipe, self.step))
        self.step += 1
        if self.average is not None:
            self.average.update(self.step)
        self._unseen.append(loss.detach())
        if len(self._unseen) >= LOOK_EVERY[self.device.type]:
            self.look_at_losses()

    def look_at_losses(self) -> None:
        """Add the losses of the last steps to their sum; refuse to go on where one is no number or far too large.

        Raises
        ------
        InputError
            With the step and epoch of the first such loss.
        """
        if not self._unseen:
            return
        first = self.step - len(self._unseen)
        losses = self.ranks.mean(torch.stack(self._unseen).double()).tolist()
        self._unseen.clear()
        for step, loss in enumerate(losses, start=first):
            self._refuse_divergence("loss", loss, step)
            self.loss_sum += loss
            self.loss_count += 1

    def look(self) -> Look:
        """Score the model on the fixed training images and on the validation images, in float32, eval mode.

        A model with batch normalisation is scored as a copy with recomputed running statistics (METHODS 2). An
        embedding gets the class means that its logits stand on (METHODS 3).
        """
        recipe = self.task.recipe
        kept = self.model if self.average is None else self.average.averaged()
        scored = kept
        if has_batch_norm(kept) and recipe.batch_norm_images:
            scored = recalibrated(kept, self._batch_norm_batches())
        if recipe.objective == "triplet":
            random = np.random.default_rng([CLASS_MEANS, len(self.label)])
            chosen = balanced(self.label, MEANS_PER_CLASS * self.classes, random)
            means = class_means(scored, self.images.batches(chosen), self.classes)
            for model in {kept, scored}:
                model.class_means.copy_(means)
        fixed = fixed_sample(len(self.images), recipe.evaluation_images, EVALUATION)
        look = Look(
            kept,
            evaluate(scored, self.images.batches(fixed), self.classes),
            evaluate(scored, self.validation.batches(), self.classes),
        )
        if not math.isfinite(look.fixed_train.loss):
            self._refuse_divergence("loss on the fixed training images", look.fixed_train.loss, self.step)
        return look

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that training goes on from."""
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.buffers}
        if self.average is not None:
            parts["average"] = self.average.weights
        return {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}

    @torch.no_grad()
    def restore(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` returned after `step` steps."""
        own = self.tensors()
        if set(own) != set(tensors):
            raise ValueError("the saved tensors are of another model or optimiser")
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
        self.step = step

    def close(self) -> None:
        """Let go of what reads in the background."""
        self.feed.close()

    def _objective(self) -> Objective:
        task, recipe = self.task, self.task.recipe
        if recipe.objective == "triplet":
            order = Order(task.seed, len(self.images), recipe.batch_size // 2)
            return Triplet(recipe, order, self.label, task.seed)
        noise, teacher = None, None
        if recipe.label_noise is not None and not isinstance(recipe.label_noise, Shuffled):
            normalise = next(layer for layer in self.model.modules() if isinstance(layer, Normalise))
            noise = wave_weights(recipe.label_noise, self.images.batches(), normalise)
        if task.teacher is not None:
            images = task.images
            teacher = load_teacher(task.teacher, self.classes, images.channels, images.size, self.device)
            if has_batch_norm(teacher) and recipe.batch_norm_images:
                teacher = recalibrated(teacher, self._batch_norm_batches())
        order = Order(task.seed, len(self.images), recipe.batch_size)
        return CrossEntropy(recipe, order, self.classes, noise, teacher)

    def _batch_norm_batches(self) -> Iterator[Tensor]:
        count = self.task.recipe.batch_norm_images
        return batch_norm_batches(self.task.images, self.index, count, self.device)

    def _refuse_divergence(self, what: str, loss: float, step: int) -> None:
        if math.isfinite(loss) and loss <= DIVERGED * self.objective.scale:
            return
        recipe, name = self.task.recipe, self.task.recipe_name
        raise InputError(
            f"training {self.task.name}",
            f"the {what} is {loss:g} at step {step} (epoch {step / self.task.steps_per_epoch:.2f})",
            f"a finite loss; a model that knows nothing has {self.objective.scale:.3g}",
            f"most likely the learning rate is too high for this model: lower recipes.{name}.learning_rate "
            f"({recipe.learning_rate:g}) or let it rise slowly (schedule: one-cycle)",
        )


class _Loss(nn.Module):
    """A step's loss as a module, which is what processes that share a training wrap."""

    def __init__(self, model: nn.Module, objective: Objective):
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, pixels: Tensor, labels: Tensor, step: int, positions: np.ndarray) -> Tensor:
        """Return the objective's loss."""
        return self.objective.loss(self.model, pixels, labels, step, positions)


def count_parameters(model: nn.Module) -> int:
    """Return the number of trained parameters.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(int(np.prod(parameter.shape)) for parameter in model.parameters() if parameter.requires_grad)
