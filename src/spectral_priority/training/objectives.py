"""What a training minimises: an objective chooses the images of a step and turns them into one number."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config.recipe import Recipe
from .randomness import NEGATIVES, PARTNERS, Order, generator


class Objective(Protocol):
    """What the loop asks of an objective.

    Attributes
    ----------
    scale : float
        The loss of a model that knows nothing, about: a loss far above it has diverged.
    """

    scale: float

    def positions(self, step: int) -> np.ndarray:
        """Return the positions of a step's images among the training images."""

    def loss(
        self, model: nn.Module, pixels: Tensor, labels: Tensor, step: int, positions: np.ndarray
    ) -> Tensor:
        """Return the loss of a step: a mean over its images."""


class CrossEntropy:
    """Cross-entropy with the labels, smoothed evenly or image by image, and with a teacher's softened outputs.

    The target of image i is a_i y + (1 − a_i)/C with a_i = (1 − smoothing)(1 − w_i). With a teacher of weight β and
    temperature T the loss is (1 − β) CE + β T² KL(teacher ‖ model), both softened by T (Hinton et al. 2015).

    Parameters
    ----------
    recipe : Recipe
    order : Order
        Of the training images.
    classes : int
    noise : Tensor (sample,) or None
        w: share of each training image's target that is spread evenly over the classes.
    teacher : nn.Module or None
        In eval mode; takes pixels, returns logits of the same classes.
    """

    def __init__(
        self,
        recipe: Recipe,
        order: Order,
        classes: int,
        noise: Tensor | None = None,
        teacher: nn.Module | None = None,
    ):
        self.order, self.smoothing, self.noise = order, recipe.label_smoothing, noise
        self.teacher, self.options = teacher, recipe.teacher
        self.scale = math.log(classes)

    def positions(self, step: int) -> np.ndarray:
        """See `Objective`."""
        return self.order.positions(step)

    def loss(
        self, model: nn.Module, pixels: Tensor, labels: Tensor, step: int, positions: np.ndarray
    ) -> Tensor:
        """See `Objective`."""
        logits = model(pixels)
        if self.noise is None:
            loss = functional.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        else:
            weight = self.noise[torch.from_numpy(positions).to(self.noise.device)]
            loss = uneven_cross_entropy(logits, labels, (1 - self.smoothing) * (1 - weight))
        if self.teacher is None:
            return loss
        with torch.no_grad():
            taught = self.teacher(pixels)
        share = self.options.weight
        return (1 - share) * loss + share * distillation(logits, taught, self.options.temperature)


def uneven_cross_entropy(logits: Tensor, labels: Tensor, certainty: Tensor) -> Tensor:
    """Return the mean cross-entropy with the targets a y + (1 − a)/C.

    Parameters
    ----------
    logits : Tensor (sample, class)
    labels : Tensor (sample,) int64
    certainty : Tensor (sample,)
        a of each image.

    Examples
    --------
    >>> logits, labels = torch.tensor([[1.0, 3.0]]), torch.tensor([1])
    >>> uneven = uneven_cross_entropy(logits, labels, torch.tensor([0.8]))
    >>> bool(torch.isclose(uneven, functional.cross_entropy(logits, labels, label_smoothing=0.2)))
    True
    """
    surprise = -functional.log_softmax(logits.float(), dim=1)
    of_label = surprise.gather(1, labels[:, None]).squeeze(1)
    return (certainty * of_label + (1 - certainty) * surprise.mean(dim=1)).mean()


def distillation(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return T² KL(softmax(taught / T) ‖ softmax(logits / T)), the mean over images.

    Parameters
    ----------
    logits, taught : Tensor (sample, class)
        Of the model and of its teacher.
    temperature : float
        T; the factor T² keeps the size of the gradient (Hinton et al. 2015, section 2).

    Examples
    --------
    >>> distillation(torch.ones(2, 3), torch.ones(2, 3), temperature=2.0).item()
    0.0
    """
    ours = functional.log_softmax(logits.float() / temperature, dim=1)
    theirs = functional.log_softmax(taught.float() / temperature, dim=1)
    return temperature**2 * functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)


class Triplet:
    """Triplet margin loss (Hoffer and Ailon 2015 for the idea; the hinge of Schroff et al. 2015).

    Half of a batch follows the order of the training images; each of these has a partner, another image of its class
    drawn at random. Every image of the batch is compared with its partner and with one image of another class, drawn
    from the batch.

    Parameters
    ----------
    recipe : Recipe
    order : Order
        Of the training images, in batches of half the recipe's size.
    label : ndarray (sample,) int64
        Labels of the training images, at least two of each class.
    seed : int
        Of the training.
    """

    def __init__(self, recipe: Recipe, order: Order, label: np.ndarray, seed: int):
        self.order, self.label, self.seed, self.margin = order, label, seed, recipe.margin
        self.scale = recipe.margin
        self._by_class = np.argsort(label, kind="stable")
        self._number = np.bincount(label)
        self._first = np.cumsum(self._number) - self._number
        self._place = np.empty(len(label), dtype=np.int64)
        self._place[self._by_class] = np.arange(len(label)) - self._first[label[self._by_class]]

    def positions(self, step: int) -> np.ndarray:
        """Return anchors, then their partners."""
        anchors = self.order.positions(step)
        classes = self.label[anchors]
        ahead = generator(PARTNERS, self.seed, step).integers(1, self._number[classes])  # never itself
        place = (self._place[anchors] + ahead) % self._number[classes]
        return np.concatenate([anchors, self._by_class[self._first[classes] + place]])

    def loss(
        self, model: nn.Module, pixels: Tensor, labels: Tensor, step: int, positions: np.ndarray
    ) -> Tensor:
        """See `Objective`; images without one of another class in the batch count as zero."""
        embedded = model.embed(pixels).float()
        partner = np.roll(np.arange(len(positions)), len(positions) // 2)
        other, found = self._others(self.label[positions], step)
        losses = functional.triplet_margin_loss(
            embedded,
            embedded[torch.from_numpy(partner).to(pixels.device)],
            embedded[torch.from_numpy(other).to(pixels.device)],
            margin=self.margin,
            reduction="none",
        )
        return (losses * torch.from_numpy(found).to(pixels.device)).mean()

    def _others(self, classes: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw an image of another class for each; tell whether there is one."""
        drawn = generator(NEGATIVES, self.seed, step).random((len(classes), len(classes)))
        drawn[classes[:, None] == classes[None, :]] = -1
        other = drawn.argmax(axis=1)
        return other, drawn.max(axis=1) >= 0
