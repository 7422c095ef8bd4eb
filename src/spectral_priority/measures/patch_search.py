"""Hierarchical search for the frequencies that a class is recognised by (HFSS; METHODS 5).

Wang, Veldhuis, Strisciuglio, CVPR 2025 (arXiv 2503.03519). At each stage candidates keep a random share of the patches
of the frequency plane, within a survivor of the stage before; those with the lowest loss on a class are its survivors,
and the next stage's patches are finer. Unlike a ranking of single frequencies it sees what several do together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .. import half_plane
from ..config.measures import Shortcuts
from ..errors import InputError
from .keeping import answers_to_kept
from .labelled_images import LabelledImages
from .measured_model import device_of, precision_of, to_pixels
from .removal import batches


def patch_sizes(size: int, options: Shortcuts) -> list[int]:
    """Return the side of a patch at each stage: N/4 and its halves down to 1, unless the options say otherwise.

    >>> patch_sizes(32, Shortcuts()), patch_sizes(224, Shortcuts())
    ([8, 4, 2, 1], [56, 28, 14, 7, 3, 1])

    Raises
    ------
    InputError
        For a patch that is larger than a quarter of the images, or as large as the one before.
    """
    sides = list(options.patch_sizes or [size // 4 >> stage for stage in range((size // 4).bit_length())])
    if sides != sorted(set(sides), reverse=True) or sides[0] > size // 2:
        raise InputError("patch_sizes", f"found {sides}", f"ever smaller ones, the first at most {size // 2}")
    return sides


def patch_search(
    model: nn.Module, given: LabelledImages, chosen: dict[int, np.ndarray], options: Shortcuts
) -> np.ndarray:
    """Return the best mask of every class after every stage: (class, stage, pairs) bool.

    Parameters
    ----------
    model : nn.Module
        In eval mode; see `measured_model.measuring`.
    given : LabelledImages
    chosen : dict
        Class number → positions of its images that the search looks at.
    options : Shortcuts
        `patch_sizes`, `patch_share`, `candidates`, `survivors`, `seed` and `batch_size` are read.
    """
    survivors = np.ones((len(chosen), 1, len(half_plane.frequency_pairs(given.size))), dtype=bool)
    best = []
    for stage, side in enumerate(patch_sizes(given.size, options)):
        random = np.random.default_rng([options.seed, stage])
        masks = candidates(random, survivors, given.size, side, options.patch_share, options.candidates)
        loss = mean_losses(model, given, chosen, masks, options.batch_size)
        order = np.argsort(loss, axis=1, kind="stable")[:, : options.survivors]
        survivors = masks[order]
        best.append(survivors[:, 0])
    return np.stack(best, axis=1)


def candidates(
    random: np.random.Generator, survivors: np.ndarray, size: int, side: int, share: float, number: int
) -> np.ndarray:
    """Draw candidates: each a random survivor of a random class, of which a random share of patches is kept.

    By turns patches lie on the grid, lie on a grid that is shifted by half a patch, or are half as many from either, so
    that no border is favoured.

    Returns
    -------
    ndarray (number, pairs) bool
    """
    made = np.empty((number, survivors.shape[2]), dtype=bool)
    grids = [half_plane.patches(size, side, shifted) for shifted in (False, True)[: 1 + (side > 1)]]
    counts = [int(grid.max()) + 1 for grid in grids]
    laid = list(zip(grids, counts, strict=True))
    turns = [laid[:1], laid[-1:], laid]
    for turn in range(number):
        of_class = survivors[random.integers(len(survivors))]
        within = of_class[random.integers(len(of_class))]
        kept = np.zeros(len(within), dtype=bool)
        for grid, count in turns[turn % 3]:
            drawn = random.permutation(count) < max(1, round(share / len(turns[turn % 3]) * count))
            kept |= drawn[grid]
        made[turn] = within & kept
    return made


def mean_losses(
    model: nn.Module, given: LabelledImages, chosen: dict[int, np.ndarray], masks: np.ndarray, batch_size: int
) -> np.ndarray:
    """Return each class's mean loss when only the frequencies of a mask, and DC, are kept: (class, mask)."""
    kind, where = precision_of(model), device_of(model)
    planes = half_plane.on_half_plane(masks, dc=True)
    loss = np.zeros((len(chosen), len(masks)))
    for place, (number, positions) in enumerate(chosen.items()):
        for batch in batches(len(positions), batch_size):
            pixels = to_pixels(given.images[positions[batch]], kind, where)
            labels = torch.full((len(pixels),), number, device=where)
            for part, _, of_image in answers_to_kept(model, pixels, labels, planes, batch_size):
                loss[place, part] += of_image.sum(dim=1).cpu().numpy() / len(positions)
    return loss
