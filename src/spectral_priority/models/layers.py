"""What every model has around its network: the normalisation before it, and for embeddings the distances behind it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEANS_AND_DEVIATIONS = {
    ("half", 1): ((0.5,), (0.25,)),
    ("half", 3): ((0.5,) * 3, (0.25,) * 3),
    ("imagenet", 1): ((0.449,), (0.226,)),
    ("imagenet", 3): ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""By normalisation and number of channels. `imagenet` are the numbers that torchvision's weights were trained with
(torchvision.transforms.Normalize in their documentation); those for grey images are the means of the three."""


class Normalise(nn.Module):
    """First layer of every model: (x − mean) / deviation per channel, so that the model takes pixels (METHODS 2).

    Nothing of it is trained or kept in checkpoints.

    Parameters
    ----------
    normalisation : str
        `half` or `imagenet`.
    channels : int
        1 or 3.

    Examples
    --------
    >>> Normalise("half", 1)(torch.tensor([[[0.0, 0.5, 1.0]]])).tolist()
    [[[-2.0, 0.0, 2.0]]]
    """

    def __init__(self, normalisation: str, channels: int):
        super().__init__()
        mean, deviation = MEANS_AND_DEVIATIONS[normalisation, channels]
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return pixels (sample, channel, y, x) of [0, 1] in units of the deviation around the mean."""
        return (pixels - self.mean) / self.deviation


class Embedder(nn.Module):
    """A model of the triplet objective: its logits are −‖e(x) − μ_c‖² (METHODS 3).

    Parameters
    ----------
    normalise, network : nn.Module
        Pixels (sample, channel, y, x) to normalised pixels, and these to embeddings e (sample, embedding).
    classes, embedding : int
        Number of classes; numbers per embedding.

    Attributes
    ----------
    class_means : Tensor (class, embedding)
        μ: zero, and so all logits of an image equal, until they are set from embeddings of training images.
    """

    def __init__(self, normalise: nn.Module, network: nn.Module, classes: int, embedding: int):
        super().__init__()
        self.normalise, self.network = normalise, network
        self.register_buffer("class_means", torch.zeros(classes, embedding))

    def embed(self, pixels: Tensor) -> Tensor:
        """Return the embeddings e(x) (sample, embedding) of pixels in [0, 1]."""
        return self.network(self.normalise(pixels))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (sample, class) of pixels in [0, 1]."""
        away = self.embed(pixels)[:, None] - self.class_means
        return -away.square().sum(2)
