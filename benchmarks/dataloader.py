"""Our training against the usual one: torchvision's `ImageFolder` and `DataLoader`, image by image from JPEG files.

Both train the same network with the same augmentation (shift and mirror) on the same images. The usual loop reads,
decodes and transforms each image in every epoch; ours cuts whole batches from packed pixels.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from interleaved import compared, row, seconds, take_turns
from made_data import make_task, pack_images, write_jpegs
from results import print_rows
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from spectral_priority.config.recipe import Recipe
from spectral_priority.models import build_model
from spectral_priority.training.batches import as_pixels
from spectral_priority.training.loop import Training, prepare_device
from spectral_priority.training.task import Task

TITLE = "Our training against torchvision's ImageFolder and DataLoader, which read JPEG files"

SIZES = (32, 64)
WORKERS = (0, 2)
BATCH = 128


def run(quick: bool) -> list[dict]:
    """Return the rows; quick: a short epoch of 32-pixel images."""
    rows = []
    device = prepare_device("auto", threads=1)
    torch.set_deterministic_debug_mode("default")  # neither loop is asked for repeatable kernels
    for size in SIZES[:1] if quick else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            images = pack_images(Path(folder), size, "rgb", train=8 * BATCH if quick else 24 * BATCH)
            write_jpegs(images, Path(folder, "jpegs"))
            task = make_task(images, Recipe(augment="flip-crop"))
            loaders = {workers: _loader(Path(folder, "jpegs"), size, workers) for workers in WORKERS}
            rows += _compare(task, loaders, device, turns=3 if quick else 5)
    return rows


def _compare(task: Task, loaders: dict[int, DataLoader], device: torch.device, turns: int) -> list[dict]:
    """Compare an epoch of ours with theirs: the data alone, and with training."""
    training, usual = Training(task, device), _UsualLoop(task, device)
    cases: dict[str, Callable[[], object]] = {
        "data": lambda: _go_through(_our_data(training)),
        "training": lambda: [training.take_step() for _ in range(task.steps_per_epoch)],
    }
    for workers, loader in loaders.items():
        cases[f"data {workers}"] = lambda loader=loader: _go_through(_to_device(loader, device))
        cases[f"training {workers}"] = lambda loader=loader: usual.train(loader)
    times = take_turns(cases, turns)
    training.close()
    number, size = task.steps_per_epoch * BATCH, task.images.size
    what = {"data": "the data alone", "training": "training small_cnn"}
    rows = []
    for part, called in what.items():
        name = f"{size} px: {called}"
        rows.append(row(f"{name}, ours", number / seconds(times[part]), "images/s"))
        for workers in loaders:
            theirs = times[f"{part} {workers}"]
            faster = compared(theirs, times[part], "time of ours")
            workers = f"{workers} workers"
            rows.append(
                row(f"{name}, DataLoader with {workers}", number / seconds(theirs), "images/s", **faster)
            )
    return rows


def _loader(folder: Path, size: int, workers: int) -> DataLoader:
    """Return the loader of a textbook; its workers stay, which is faster."""
    change = transforms.Compose(
        [
            transforms.RandomCrop(size, padding=size // 8),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    return DataLoader(
        ImageFolder(str(folder), change),
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


class _UsualLoop:
    """Forward, loss, backward, step: the same network and optimiser as ours, normalised by the loader."""

    def __init__(self, task: Task, device: torch.device):
        recipe, images = task.recipe, task.images
        model = build_model(recipe, task.manifest.number_of_classes, images.channels, images.size)
        self.device, self.network = device, model.network.to(device)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), recipe.learning_rate, recipe.momentum,
            weight_decay=recipe.weight_decay, nesterov=True, fused=True,
        )  # fmt: skip

    def train(self, loader: DataLoader) -> None:
        """Train for an epoch."""
        for pixels, labels in _to_device(loader, self.device):
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                loss = nn.functional.cross_entropy(self.network(pixels), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()


def _our_data(training: Training) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch of ours, as floats."""
    for step in range(training.task.steps_per_epoch):
        _, raw, labels = training.feed.take(step)
        yield as_pixels(training.augment(raw, training.task.seed, step)), labels


def _to_device(loader: DataLoader, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    for pixels, labels in loader:
        yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)


def _go_through(batches: Iterator) -> None:
    for _ in batches:
        pass


if __name__ == "__main__":
    print_rows(run("--quick" in sys.argv))
