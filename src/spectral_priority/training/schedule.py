"""Learning rate and checkpoints as closed forms of the step: they have no state. Imports no torch."""

from __future__ import annotations

import math

from ..config.recipe import Recipe

RISE, FIRST = 0.3, 1 / 25
"""`one-cycle`: share of the steps in which the rate rises, and where it starts, as a share of the peak."""


def learning_rate(recipe: Recipe, step: int) -> float:
    """Return the learning rate of the optimiser step that follows `step` finished ones.

    `constant`; `cosine`: half a cosine from the peak to zero; `one-cycle`: half a cosine from 1/25 of the peak up to
    it over the first 30 % of the steps, and half a cosine down to zero (after Smith and Topin 2019, arXiv 1708.07120,
    without the cycle of the momentum); `step`: the peak, times `step_factor` from each share of `step_at` on.

    >>> [round(learning_rate(Recipe(steps=4, learning_rate=1), step), 3) for step in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    peak, gone = recipe.learning_rate, step / recipe.steps
    if recipe.schedule == "constant":
        return peak
    if recipe.schedule == "cosine":
        return peak * _fall(gone)
    if recipe.schedule == "step":
        return peak * recipe.step_factor ** sum(gone >= share for share in recipe.step_at)
    if gone < RISE:
        return peak * (1 - (1 - FIRST) * _fall(gone / RISE))
    return peak * _fall((gone - RISE) / (1 - RISE))


def _fall(share: float) -> float:
    """Half a cosine: 1 at 0, 0 at 1."""
    return (1 + math.cos(math.pi * share)) / 2


def checkpoint_steps(recipe: Recipe, steps_per_epoch: int) -> list[int]:
    """Return the steps at which weights are kept and the model is evaluated.

    0, the early steps, from the last of these on every `every_epochs` epochs (rounded to a step) or `every_steps`, and
    the last step.

    >>> checkpoint_steps(Recipe(steps=130), steps_per_epoch=50)
    [0, 10, 30, 100, 130]
    >>> checkpoint_steps(Recipe(steps=130, checkpoints={"early": [5], "every_epochs": 0.5}), steps_per_epoch=50)
    [0, 5, 25, 50, 75, 100, 125, 130]
    >>> checkpoint_steps(Recipe(steps=130, checkpoints={"early": [5], "every_steps": 60}), steps_per_epoch=50)
    [0, 5, 60, 120, 130]
    """
    early = {0, *(step for step in recipe.checkpoints.early if step <= recipe.steps)}
    plan = recipe.checkpoints
    distance = plan.every_steps or plan.every_epochs * steps_per_epoch
    late = (round(number * distance) for number in range(1, math.ceil(recipe.steps / distance) + 1))
    return sorted(early | {step for step in late if max(early) < step <= recipe.steps} | {recipe.steps})
