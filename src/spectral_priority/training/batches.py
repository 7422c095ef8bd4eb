"""Images of a tier as float batches: the whole batch is cut at once, on the device where it fits there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ..data.images import PackedImages
from ..data.manifest import Manifest

EVALUATION_BATCH = 256
"""Images per forward pass where no gradient is taken."""
EVALUATION, BATCH_NORM = 1, 2
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
        self.pixels, self.index, self.device = images.pixels, index, device
        self.labels = torch.from_numpy(np.ascontiguousarray(label, dtype=np.int64)).to(device)
        self.resident: Tensor | None = None
        if device.type == "cuda":
            needed = len(index) * int(np.prod(self.pixels.shape[1:]))
            if needed < self.SHARE * torch.cuda.mem_get_info(device)[0]:
                self.resident = torch.empty(
                    (len(index), *self.pixels.shape[1:]), dtype=torch.uint8, device=device
                )
                for start in range(0, len(index), 4096):  # bounded memory on the host
                    part = torch.from_numpy(self.pixels[index[start : start + 4096]])
                    self.resident[start : start + 4096] = part.to(device)

    def __len__(self) -> int:
        return len(self.index)

    def cut(self, positions: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return the images at `positions` of the subset, (sample, y, x, channel) uint8, and their labels."""
        where = torch.from_numpy(np.ascontiguousarray(positions)).to(self.device)
        if self.resident is not None:
            return self.resident[where], self.labels[where]
        raw = torch.from_numpy(self.pixels[self.index[positions]])
        return raw.to(self.device), self.labels[where]

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


def training_sample(manifest: Manifest, count: int, purpose: int) -> np.ndarray:
    """Choose fixed training images of a tier: the same ones in every run, checkpoint and measure.

    Parameters
    ----------
    manifest : Manifest
        The tier.
    count : int
        How many; all of them where there are fewer.
    purpose : int
        `EVALUATION` or `BATCH_NORM`: samples of different purposes are independent.

    Returns
    -------
    ndarray of int64
        Positions in the training part, ascending.
    """
    number = len(manifest.index["train"])
    if count >= number:
        return np.arange(number)
    random = np.random.default_rng([purpose, number])
    return np.sort(random.choice(number, size=count, replace=False))


def batch_norm_batches(
    images: PackedImages, manifest: Manifest, count: int, device: torch.device | str
) -> Iterator[Tensor]:
    """Go through the training images from which batch-norm statistics are recomputed, for `recalibrated`.

    Parameters
    ----------
    images, manifest
        Packed images and tier.
    count : int
        How many images (`batch_norm_images`).
    device : torch.device
        The model's.

    Yields
    ------
    Tensor (sample, channel, y, x)
        Pixels in [0, 1].
    """
    chosen = training_sample(manifest, count, BATCH_NORM)
    subset = Subset(
        images, manifest.index["train"][chosen], manifest.label["train"][chosen], torch.device(device)
    )
    for pixels, _ in subset.batches():
        yield pixels
