"""Which training images a run learns from, and under which labels. Imports no torch."""

from __future__ import annotations

import numpy as np

from ..config.recipe import Recipe
from ..data.manifest import Manifest

CHOICE, SHUFFLE = 21, 22
"""What random numbers are for; they follow from the tier's seed, so that every training repetition learns the same."""


def training_examples(manifest: Manifest, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices (into the packed images) and labels that a recipe learns from on a tier.

    Parameters
    ----------
    manifest : Manifest
        The tier.
    recipe : Recipe
        `images` (how many, balanced over classes) and `label_noise` (whether labels are shuffled) are read.

    Returns
    -------
    index, label : ndarray (sample,) int64
        In the tier's order.
    """
    index, label, seed = manifest.index["train"], manifest.label["train"], int(manifest.facts["seed"])
    if recipe.images is not None:
        chosen = balanced(label, recipe.images, np.random.default_rng([CHOICE, seed]))
        index, label = index[chosen], label[chosen]
    noise = recipe.label_noise
    if noise is not None and noise.kind == "shuffled":
        label = shuffled(label, noise.share, np.random.default_rng([SHUFFLE, seed]))
    return index, label


def balanced(label: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Choose positions in turn from every class; a smaller choice of the same random state is part of a larger one.

    Parameters
    ----------
    label : ndarray (sample,) int64
    count : int
        How many; all of them where there are fewer.
    random : Generator

    Returns
    -------
    ndarray of int64
        Positions, ascending.

    Examples
    --------
    >>> label = np.array([0, 0, 0, 0, 1, 1])
    >>> label[balanced(label, 4, np.random.default_rng(0))]
    array([0, 0, 1, 1])
    """
    mixed = random.permutation(len(label))
    turn = np.empty(len(label), dtype=np.int64)
    for number in np.unique(label):
        of_class = mixed[label[mixed] == number]
        turn[of_class] = np.arange(len(of_class))
    return np.sort(mixed[np.argsort(turn[mixed], kind="stable")][:count])


def shuffled(label: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Exchange the labels of a share of the images among each other; the numbers per class stay.

    >>> shuffled(np.array([0, 1, 2, 3]), 0.0, np.random.default_rng(0))
    array([0, 1, 2, 3])
    """
    chosen = random.permutation(len(label))[: round(share * len(label))]
    label = label.copy()
    label[chosen] = label[random.permutation(chosen)]
    return label
