"""The floor of an epoch: forward, loss, backward and optimiser step on float batches that lie ready on the device.

It uses every speed-up that our training does (channels-last, the fused optimiser, the same threads; on CUDA bfloat16
autocast and torch.compile where the recipe asks for it) and nothing else: no reading, no augmentation, no learning rate
schedule, no look at the loss.
"""

from __future__ import annotations

import torch
from torch import nn

from spectral_priority.models import build_model
from spectral_priority.training.batches import as_pixels
from spectral_priority.training.task import Task

MOST_BATCHES = 64
"""Batches that are held; an epoch of more goes through them again."""


class BareLoop:
    """A bare training loop over the first batches of a task.

    Parameters
    ----------
    task : Task
        Its model, images, batch size, optimiser and weight decay are used.
    device : torch.device
    """

    def __init__(self, task: Task, device: torch.device):
        recipe, images = task.recipe, task.images
        self.device, self.made = device, 0
        model = build_model(recipe, task.manifest.number_of_classes, images.channels, images.size).to(device)
        self.model = torch.compile(model) if recipe.compile and device.type == "cuda" else model
        kind = {
            "sgd": lambda parameters: torch.optim.SGD(
                parameters, momentum=recipe.momentum, nesterov=True, **common
            ),
            "adamw": lambda parameters: torch.optim.AdamW(parameters, **common),
        }[recipe.optimizer]
        common = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True}
        self.optimizer = kind(model.parameters())
        self.batches = []
        for number in range(min(MOST_BATCHES, task.steps_per_epoch)):
            part = slice(number * recipe.batch_size, (number + 1) * recipe.batch_size)
            raw = torch.from_numpy(images.read(task.manifest.index["train"][part]))
            labels = torch.from_numpy(task.manifest.label["train"][part])
            self.batches.append((as_pixels(raw.to(device)), labels.to(device)))

    def make_steps(self, steps: int) -> None:
        """Make some optimiser steps."""
        for _ in range(steps):
            pixels, labels = self.batches[self.made % len(self.batches)]
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                loss = nn.functional.cross_entropy(self.model(pixels), labels)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.made += 1
