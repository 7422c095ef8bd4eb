"""A recipe: model and training options, under a name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Count, Fraction, Name, Positive, Real, Section, Whole


class Checkpoints(Section):
    """When weights are kept and the model is evaluated: densely at first, then every few epochs, and at the end."""

    early: tuple[Annotated[Whole, Field(ge=0)], ...] = (0, 10, 30, 100, 300)
    """Steps; most change is in the first epochs. Step 0 is the untrained model and is always kept."""
    every_epochs: Positive = 1.0
    """Distance of the later checkpoints, in epochs."""


class Recipe(Section):
    """Model and training options."""

    model: Name = "small_cnn"
    """`small_cnn`, or the name of a torchvision classifier such as `resnet18`."""
    stem: Literal["standard", "cifar"] = "standard"
    """`cifar`: 3×3 stride-1 first convolution and no max-pooling (ResNets on small images)."""
    width: Count = 32
    """Channels of the first layer of `small_cnn`."""
    steps: Count = 1000
    """Optimiser steps, the same for every tier."""
    batch_size: Count = 128
    """Images per optimiser step."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """`sgd` is with Nesterov momentum."""
    learning_rate: Positive = 0.05
    """Peak learning rate."""
    momentum: Fraction = 0.9
    """Momentum of `sgd`."""
    weight_decay: Annotated[Real, Field(ge=0)] = 5e-4
    """Weight decay (decoupled for `adamw`)."""
    schedule: Literal["constant", "cosine", "one-cycle"] = "cosine"
    """Learning rate over training; `one-cycle` rises over the first 30 % and falls to zero."""
    augment: Literal["none", "flip-crop"] = "none"
    """`flip-crop`: random mirror and shift by up to an eighth of the side, zero-padded."""
    label_smoothing: Annotated[Real, Field(ge=0, lt=1)] = 0.0
    """Share of the target spread evenly over the classes."""
    checkpoints: Checkpoints = Checkpoints()
    """When weights are kept and the model is evaluated."""
    evaluation_images: Count = 1000
    """Fixed, unaugmented training images for the matched-loss reading (METHODS 9)."""
    batch_norm_images: Annotated[Whole, Field(ge=0)] = 1024
    """Training images from which evaluated and measured copies recompute batch-norm statistics; 0: off."""
    threads: Count = 1
    """CPU threads of a training; several trainings side by side beat one with many threads."""
    time_limit_minutes: Count = 720
    """Wall time of one training job; state is saved and the job ends by itself before it."""
