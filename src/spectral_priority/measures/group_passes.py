"""Forward and backward passes over images that are sorted by group, each layer's inputs and adjoints recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from .layer_gradients import Uses, of_rows, recording
from .measured_model import check_logits, device_of, layout_of, precision_of, to_pixels
from .weight_layers import weight_layers


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass: which of the chosen images, and what each layer saw."""

    images: slice
    uses: Uses

    def of_group(self, layers: Mapping[str, nn.Module], group: slice) -> tuple[Uses, slice]:
        """Return the rows of a group's images in this pass, and which of the group's images they are."""
        first, last = max(group.start, self.images.start), min(group.stop, self.images.stop)
        rows = slice(first - self.images.start, last - self.images.start)
        count = self.images.stop - self.images.start
        uses = {
            name: [of_rows(layers[name], *use, rows, count) for use in of_layer]
            for name, of_layer in self.uses.items()
        }
        return uses, slice(first - group.start, last - group.start)


class Passes:
    """Forward and backward passes of a model over chosen images, its layers recorded."""

    def __init__(self, model: nn.Module, images: np.ndarray | Tensor, labels: np.ndarray, chosen: np.ndarray):
        self.model, self.images, self.labels, self.chosen = model, images, labels, chosen
        self.layers = weight_layers(model)
        self.kind, self.where, self.layout = precision_of(model), device_of(model), layout_of(model)
        self._is_zero = np.zeros(len(chosen), dtype=bool)

    @property
    def zero(self) -> int:
        """Number of images with a zero gradient of the logits."""
        return int(self._is_zero.sum())

    def check_that_samples_come_first(self) -> None:
        """Run two images and go back from the answer to one: the rows of the other must not see it.

        Raises
        ------
        InputError
            Where they do: for a transformer that puts tokens before samples, for example.
        """
        if len(self.chosen) < 2:
            return
        with recording(self.layers) as uses:
            logits = self.model(self._pixels(slice(0, 2)))
            check_logits(logits, 2, self.labels[self.chosen[:2]])
            if not logits.requires_grad:  # the first pass says so
                return
            logits[:1].max().backward()
        for name, of_layer in uses.items():
            for use in of_layer:
                if of_rows(self.layers[name], *use, slice(1, 2), 2)[1].any():
                    raise InputError(
                        f"model: {name}",
                        "sees rows of one image that the answer to another image depends on",
                        "layers that see samples first",
                        "build the model with batch_first=True, if it is a transformer",
                    )

    def several(self, batches: list[slice]) -> Callable[[], Iterable[Pass]]:
        """Return what gives the passes over batches, as often as asked: a single one is made once and kept."""
        if len(batches) > 1:
            return lambda: map(self._made, batches)
        kept = [self._made(batches[0])]
        return lambda: kept

    def _made(self, batch: slice) -> Pass:
        pixels = self._pixels(batch)
        labels = torch.from_numpy(self.labels[self.chosen[batch]]).to(self.where)
        with recording(self.layers) as uses:
            logits = self.model(pixels)
            check_logits(logits, len(labels), labels)
            if not logits.requires_grad:
                raise InputError(
                    "model", "has logits that can't be differentiated with respect to the pixels"
                )
            own = logits.gather(1, labels[:, None])[:, 0]
            others = logits.scatter(1, labels[:, None], -torch.inf)
            # The cross-entropy, in the form whose gradient float32 keeps for confident images.
            loss = torch.nn.functional.softplus(torch.logsumexp(others, dim=1) - own)
            of_pixels, of_logits = torch.autograd.grad(loss.sum(), (pixels, logits))
        if not (of_pixels.isfinite().all() and loss.isfinite().all()):
            raise InputError(
                "gradients",
                "are not finite (NaN or infinite)",
                "finite weights and logits",
                "the training has diverged, or overflows in this precision: lower its learning rate",
            )
        self._is_zero[batch] = (of_logits == 0).all(dim=1).cpu().numpy()
        return Pass(batch, {name: of_layer for name, of_layer in uses.items() if of_layer})

    def _pixels(self, batch: slice) -> Tensor:
        of_batch = self.images[self.chosen[batch]]
        return to_pixels(of_batch, self.kind, self.where, self.layout).requires_grad_(True)


def packs(bounds: np.ndarray, batch_size: int) -> list[list[slice]]:
    """Divide images, sorted by group, into passes: as many whole groups as fit in one, or one group in several."""
    found: list[list[slice]] = []
    for start, stop in pairwise(bounds.tolist()):
        if stop - start > batch_size:
            found.append([slice(at, min(at + batch_size, stop)) for at in range(start, stop, batch_size)])
        elif found and stop - found[-1][0].start <= batch_size:
            found[-1] = [slice(found[-1][0].start, stop)]
        else:
            found.append([slice(start, stop)])
    return found


def use_statistics_of_batches(model: nn.Module) -> None:
    """Let batch normalisation, and nothing else, work as in training: by the statistics of each batch."""
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train()
