"""Images of a tier as float batches: the whole batch is cut at once, on the device where it fits there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..data.images import PackedImages

EVALUATION_BATCH = 256
"""Images per forward pass where no gradient is taken."""
EVALUATION, BATCH_NORM, CLASS_MEANS = 1, 2, 3
"""Purposes of fixed samples of the training images."""


class Subset:
    """Some images of a packed data set, and their labels.

    On the CPU a batch is one gather from the memory map, whose pages all processes share; on CUDA the subset is
    copied to the device once if it takes less than `SHARE` of its free memory.

    Parameters
    ----------
    images : PackedImages
    index, label : ndarray (sample,) int64
        Indices into the packed images, and the tier's labels.
    device : torch.device
    """

    SHARE = 0.4

    def __init__(self, images: PackedImages, index: np.ndarray, label: np.ndarray, device: torch.device):
        self.images, self.index, self.device = images, index, device
        self.labels = torch.from_numpy(np.ascontiguousarray(label, dtype=np.int64)).to(device)
        self.resident: Tensor | None = None
        if device.type == "cuda":
            needed = len(index) * int(np.prod(images.shape[1:]))
            if needed < self.SHARE * torch.cuda.mem_get_info(device)[0]:
                self.resident = torch.empty((len(index), *images.shape[1:]), dtype=torch.uint8, device=device)
                for start in range(0, len(index), 4096):  # bounded memory on the host
                    part = torch.from_numpy(images.read(index[start : start + 4096]))
                    self.resident[start : start + 4096] = part.to(device)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def is_cheap(self) -> bool:
        """Tell whether cutting a batch takes next to no time."""
        return self.resident is not None or (self.device.type == "cpu" and not self.images.is_encoded)

    def cut(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the images at `positions` of the subset, (sample, y, x, channel) uint8, and their labels."""
        where = torch.from_numpy(np.ascontiguousarray(positions)).to(self.device)
        if self.resident is not None:
            return self.resident[where], self.labels[where]
        raw = torch.from_numpy(self.images.read(self.index[positions]))
        if self.device.type == "cuda":
            raw = raw.pin_memory()  # copied without the host waiting for it
        return raw.to(self.device, non_blocking=True), self.labels[where]

    def batches(self, positions: np.ndarray | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Go through images (all of them, or those at `positions`) as float pixels and labels, in order.

        The batches are of about equal size and depend on the number of images only.
        """
        positions = np.arange(len(self)) if positions is None else positions
        for part in np.array_split(positions, max(1, -(-len(positions) // EVALUATION_BATCH))):
            raw, labels = self.cut(part)
            yield as_pixels(raw), labels


def as_pixels(raw: Tensor) -> Tensor:
    """Return uint8 images (sample, y, x, channel) as float32 pixels in [0, 1], (sample, channel, y, x).

    The result lies in channels-last order in memory, as the models' weights do.

    >>> as_pixels(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)).shape
    torch.Size([1, 3, 2, 2])
    """
    return raw.permute(0, 3, 1, 2).float().div_(255)


def fixed_sample(number: int, count: int, purpose: int) -> np.ndarray:
    """Choose fixed ones of so many training images: the same in every run, checkpoint and measure.

    Parameters
    ----------
    number : int
        Training images.
    count : int
        How many; all of them where there are fewer.
    purpose : int
        `EVALUATION` or `BATCH_NORM`: samples of different purposes are independent.

    Returns
    -------
    ndarray of int64
        Positions among them, ascending.
    """
    if count >= number:
        return np.arange(number)
    random = np.random.default_rng([purpose, number])
    return np.sort(random.choice(number, size=count, replace=False))


def batch_norm_batches(
    images: PackedImages, index: np.ndarray, count: int, device: torch.device | str
) -> Iterator[Tensor]:
    """Go through the training images from which batch-norm statistics are recomputed, for `recalibrated`.

    Parameters
    ----------
    images : PackedImages
    index : ndarray (sample,) int64
        The training images.
    count : int
        How many of them (`batch_norm_images`).
    device : torch.device
        The model's.

    Yields
    ------
    Tensor (sample, channel, y, x)
        Pixels in [0, 1].
    """
    chosen = index[fixed_sample(len(index), count, BATCH_NORM)]
    subset = Subset(images, chosen, np.zeros_like(chosen), torch.device(device))
    for pixels, _ in subset.batches():
        yield pixels
