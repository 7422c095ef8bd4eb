"""Random numbers of a training as functions of the seed and the position: nothing of them has to be saved."""

from __future__ import annotations

import numpy as np
import torch

INITIAL, ORDER, AUGMENTATION, LAYERS, PARTNERS, NEGATIVES = 11, 12, 13, 14, 15, 16
"""What random numbers are for; those of different purposes are independent."""


def generator(purpose: int, seed: int, position: int = 0) -> np.random.Generator:
    """Return NumPy's generator for one purpose at one step (or epoch) of a training."""
    return np.random.default_rng([purpose, seed, position])


def seed_torch(purpose: int, seed: int, position: int = 0) -> None:
    """Set torch's random state for one purpose (initial weights, or dropout) at one step of a training."""
    words = np.random.SeedSequence([purpose, seed, position]).generate_state(1, np.uint64)
    # torch.manual_seed would also note, with a trace of the call, that a GPU that is never used is to be seeded.
    torch.default_generator.manual_seed(int(words[0]))
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(int(words[0]))


class Order:
    """Which training images each step sees: every epoch a fresh permutation, its incomplete last batch dropped.

    Parameters
    ----------
    seed : int
    number : int
        Training images.
    batch_size : int

    Examples
    --------
    >>> order = Order(seed=0, number=7, batch_size=3)
    >>> order.steps_per_epoch, len(order.positions(5))
    (2, 3)
    """

    def __init__(self, seed: int, number: int, batch_size: int):
        self.seed, self.number, self.batch_size = seed, number, batch_size
        self.steps_per_epoch = number // batch_size
        self._epoch, self._permutation = -1, np.empty(0, dtype=np.int64)

    def positions(self, step: int) -> np.ndarray:
        """Return the positions of a step's images in the training part."""
        epoch, batch = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._permutation = generator(ORDER, self.seed, epoch).permutation(self.number)
            self._epoch = epoch
        return self._permutation[batch * self.batch_size : (batch + 1) * self.batch_size]
