"""On a CUDA device: our epoch against the bare loop, what modes cost, and how many small trainings share one GPU."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from threading import Barrier

import torch
from interleaved import compared, row, seconds, take_turns
from made_data import make_task, pack_images
from results import print_rows
from torch import Tensor, nn
from training import STEPS_ONLY, epoch_and_bare

from spectral_priority.config.recipe import Recipe
from spectral_priority.data.images import PackedImages
from spectral_priority.models import build_model
from spectral_priority.training.batches import as_pixels
from spectral_priority.training.loop import Training, prepare_device

TITLE = "On a CUDA device: our epoch against the bare loop, modes, and small trainings that share a GPU"

RESNET18 = {"model": "resnet18", "stem": "cifar", "batch_size": 512}
RESNET50 = {"model": "resnet50", "batch_size": 128}
EPOCHS = (
    ("resnet18 with CIFAR stem, 32 px, batch 512", 32, RESNET18, 40),
    ("resnet18 with CIFAR stem, 32 px, batch 128", 32, {**RESNET18, "batch_size": 128}, 80),
    ("resnet50, 224 px, batch 128", 224, RESNET50, 10),
)
"""Name, side, options of the recipe, steps in a turn."""
IMAGES = {32: 20_480, 224: 1024}
PLAIN = "plain"
MODES = {
    PLAIN: {},
    "compile: true": {"compile": True},
    "deterministic: true": {"deterministic": True},
}
SHARING = (1, 2, 4, 8)
SMALL_STEPS, SMALL_BATCH = 200, 128
PATIENCE = 600
"""Seconds that a process waits for the others."""


def run(quick: bool) -> list[dict]:
    """Return the rows, none without a CUDA device; quick: fewer turns, the small model only."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for the deterministic mode; read once
    if not torch.cuda.is_available():
        print("not measured: torch sees no CUDA device")
        return []
    turns = 3 if quick else 10
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        packs = {
            size: pack_images(Path(folder, str(size)), size, "rgb", number) for size, number in IMAGES.items()
        }
        for name, size, options, steps in EPOCHS[:1] if quick else EPOCHS:
            recipe = Recipe(**options, augment="flip-crop", **STEPS_ONLY)
            ours, bare = epoch_and_bare(make_task(packs[size], recipe), Path(folder, "work"), steps, turns)
            rate = recipe.batch_size * steps / seconds(ours)
            rows.append(row(f"{name}, flip-crop", rate, "images/s", **compared(ours, bare, "bare loop")))
            rows += _modes(name, packs[size], options, steps, turns)
        rows += _processes(packs[32], turns=2 if quick else 3)
        rows += _stacks(packs[32], torch.device("cuda"), turns)
    return rows


def _modes(name: str, images: PackedImages, options: dict, steps: int, turns: int) -> list[dict]:
    """Time steps with and without torch.compile and repeatable kernels."""

    def case(changes: dict) -> Callable[[], None]:
        recipe = Recipe(**options, augment="flip-crop", **{**STEPS_ONLY, **changes})
        training: list[Training] = []

        def some_steps() -> None:
            torch.set_deterministic_debug_mode("default")
            device = prepare_device("cuda", threads=1, deterministic=recipe.deterministic)
            if not training:  # in its own mode
                training.append(Training(make_task(images, recipe), device))
            for _ in range(steps):
                training[0].take_step()

        return some_steps

    times = take_turns({mode: case(changes) for mode, changes in MODES.items()}, turns)
    rows = []
    for mode in [mode for mode in MODES if mode != PLAIN]:
        rate = steps * options["batch_size"] / seconds(times[mode])
        rows.append(row(f"{name}, {mode}", rate, "images/s", **compared(times[mode], times[PLAIN], PLAIN)))
    return rows


def _processes(images: PackedImages, turns: int, device: str = "cuda") -> list[dict]:
    """Train several small networks at once, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    rates: dict[int, list[float]] = {number: [] for number in SHARING}
    for _ in range(turns):
        for number in SHARING:
            with context.Manager() as manager, ProcessPoolExecutor(number, context) as processes:
                barrier = manager.Barrier(number, timeout=PATIENCE)
                taken = processes.map(_small_training, [images.path] * number, range(number), [device] * number,
                                      [barrier] * number)  # fmt: skip
                rates[number].append(number * SMALL_STEPS * SMALL_BATCH / max(taken))
    return [
        row(
            f"small_cnn, 32 px, {number} {'process' if number == 1 else 'processes at once'}, all together",
            median(rates[number]), "images/s", "one process",
            median(rate / alone for rate, alone in zip(rates[number], rates[1], strict=True)),
        )
        for number in SHARING
    ]  # fmt: skip


def _small_training(path: Path, seed: int, device: str, barrier: Barrier) -> float:
    """Return the seconds of some steps, begun when all processes have warmed up."""
    task = make_task(PackedImages(path), Recipe(augment="flip-crop"))
    training = Training(task, prepare_device(device, threads=1))
    for _ in range(SMALL_STEPS // 4):
        training.take_step()
    training.look_at_losses()  # waits for the device
    barrier.wait()
    begun = time.perf_counter()
    for _ in range(SMALL_STEPS):
        training.take_step()
    training.look_at_losses()
    return time.perf_counter() - begun


def _stacks(images: PackedImages, device: torch.device, turns: int) -> list[dict]:
    """Train several small networks at once as one stacked network (torch.func)."""
    stacks = {number: _Stack(number, images, device) for number in SHARING}
    times = take_turns({str(number): stack.make_steps for number, stack in stacks.items()}, turns)
    rows = []
    for number in SHARING:
        turns_of, alone = times[str(number)], times["1"]
        faster = [number * one.wall / several.wall for one, several in zip(alone, turns_of, strict=True)]
        rate = number * SMALL_STEPS * SMALL_BATCH / seconds(turns_of)
        what = f"small_cnn, 32 px, {number} stacked by torch.func, all together"
        rows.append(row(what, rate, "images/s", "one by torch.func", median(faster)))
    return rows


class _Stack:
    """Several networks of one shape, whose steps are made at once; SGD, on pixels that lie ready."""

    def __init__(self, number: int, images: PackedImages, device: torch.device):
        task = make_task(images, Recipe(batch_size=SMALL_BATCH))
        self.device, self.recipe = device, task.recipe
        classes = task.manifest.number_of_classes
        models = [
            build_model(task.recipe, classes, images.channels, images.size).to(device) for _ in range(number)
        ]
        self.model = models[0]
        self.parameters, self.buffers = torch.func.stack_module_state(models)
        self.weights = [weight.detach() for weight in self.parameters.values()]
        self.momentum = [torch.zeros_like(weight) for weight in self.weights]
        index = task.manifest.index["train"][: number * SMALL_BATCH]
        raw = torch.from_numpy(images.read(index)).to(device)
        self.pixels = as_pixels(raw).unflatten(0, (number, SMALL_BATCH))
        labels = torch.from_numpy(task.manifest.label["train"][: number * SMALL_BATCH])
        self.labels = labels.to(device).unflatten(0, (number, SMALL_BATCH))

    def make_steps(self) -> None:
        """Make the steps of a turn."""
        gradients_of = torch.func.vmap(torch.func.grad(self._loss))
        for _ in range(SMALL_STEPS):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                gradients = gradients_of(self.parameters, self.buffers, self.pixels, self.labels)
            torch._foreach_mul_(self.momentum, self.recipe.momentum)
            torch._foreach_add_(self.momentum, list(gradients.values()))
            torch._foreach_add_(self.weights, self.momentum, alpha=-self.recipe.learning_rate)

    def _loss(self, parameters: dict, buffers: dict, pixels: Tensor, labels: Tensor) -> Tensor:
        logits = torch.func.functional_call(self.model, (parameters, buffers), (pixels,))
        return nn.functional.cross_entropy(logits, labels)


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
