"""Images with labels and identities, as a measure is given them from Python: checked once, before the model is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from .measured_model import check_images, device_of, layout_of, precision_of, to_pixels


@dataclass(frozen=True)
class LabelledImages:
    """What a measure of a classifier looks at.

    Attributes
    ----------
    images : array or Tensor
        As given: uint8 (n, N, N, channel) or floating-point (n, channel, N, N).
    labels : ndarray (n,) int64
    image_ids : ndarray (n,)
        Random draws and jackknife groups follow from them.
    class_names : list of str
        Name of every class up to the highest label.
    size : int
        N.
    """

    images: np.ndarray | torch.Tensor
    labels: np.ndarray
    image_ids: np.ndarray
    class_names: list[str]
    size: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def chance(self) -> float:
        """Accuracy of the best constant answer: the largest class share."""
        return float(np.unique(self.labels, return_counts=True)[1].max() / len(self))

    def part(self, chosen: np.ndarray) -> LabelledImages:
        """Return some of the images."""
        return replace(
            self, images=self.images[chosen], labels=self.labels[chosen], image_ids=self.image_ids[chosen]
        )

    def batches(
        self, model: nn.Module, batch_size: int, unchanged: bool = False
    ) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
        """Give the images of each batch: their places, pixels (n, channel, N, N) and labels on the model's device.

        `unchanged`: the model is to see them as they are, so they lie in memory in the order that it is fastest with.
        """
        kind, where = precision_of(model), device_of(model)
        layout = layout_of(model) if unchanged else torch.contiguous_format
        for start in range(0, len(self), batch_size):
            batch = slice(start, start + batch_size)
            yield (
                batch,
                to_pixels(self.images[batch], kind, where, layout),
                torch.from_numpy(self.labels[batch]).to(where),
            )


def labelled_images(
    images: np.ndarray | torch.Tensor,
    labels: np.ndarray | torch.Tensor,
    image_ids: np.ndarray | None = None,
    class_names: Sequence[str] | None = None,
) -> LabelledImages:
    """Check what was given; ids are positions, and names are numbers, where there are none.

    Raises
    ------
    InputError
        For images that are not square, and for parts that do not fit each other.

    Examples
    --------
    >>> labelled_images(np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 2])).class_names
    ['0', '1', '2']
    """
    count, size = check_images(images, labels)
    ids = np.arange(count) if image_ids is None else np.asarray(image_ids)
    if ids.shape != (count,):
        raise InputError("image_ids", f"found shape {ids.shape}", f"one id per image, ({count},)")
    if ids.dtype.kind not in "iu" or ids.min() < 0:
        raise InputError("image_ids", f"found {ids.dtype}, from {ids.min()}", "whole numbers from 0 on")
    labels = np.asarray(labels.cpu() if isinstance(labels, torch.Tensor) else labels).astype(np.int64)
    if labels.min() < 0:
        raise InputError("labels", f"found {labels.min()}", "0 and above")
    names = range(labels.max() + 1) if class_names is None else class_names
    if len(names) <= labels.max():
        raise InputError("class_names", f"found {len(names)}, but a label is {labels.max()}")
    return LabelledImages(images, labels, ids, [str(name) for name in names], size)
