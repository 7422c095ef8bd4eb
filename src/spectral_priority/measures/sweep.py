"""A measure at every checkpoint of a run: each is kept when it is done, so that a killed sweep goes on where it was."""

from __future__ import annotations

from collections.abc import Iterable

import xarray as xr
from torch import nn

from ..models import load_weights
from ..progress import track
from ..training.checkpoints import Checkpoints
from .parts import Parts


def sweep(
    parts: Parts,
    model: nn.Module,
    checkpoints: Checkpoints,
    steps: Iterable[int],
    *,
    steps_per_epoch: float,
    label: str,
) -> xr.Dataset:
    """Measure every checkpoint, or read it where it was measured before, and join them.

    Parameters
    ----------
    parts : Parts
        Results of single checkpoints of one instance.
    model : nn.Module
        The run's model, on the device to measure on; each checkpoint's weights are loaded into it.
    checkpoints : Checkpoints
        The run's weights.
    steps : iterable of int
        Steps of the run's checkpoints; of those that were measured in training no weights need be there.
    steps_per_epoch : float
        For the coordinate `epoch`.
    label : str
        What the progress is called.

    Returns
    -------
    xarray.Dataset
        The measure's variables with `checkpoint` as their first dimension, on which `step` and `epoch` are coordinates.
    """
    steps = list(steps)
    results = []
    for step in track(steps, label, unit="checkpoints"):
        part = parts.find(step)
        if part is None:
            load_weights(model, checkpoints.load(step))
            part = parts.make(step, model)
        results.append(part)
    return join(results, steps, steps_per_epoch)


def join(parts: list[xr.Dataset], steps: list[int], steps_per_epoch: float) -> xr.Dataset:
    """Join the results of single checkpoints along a new first dimension `checkpoint`."""
    joined = xr.concat(
        parts,
        dim="checkpoint",
        data_vars="all",
        coords="minimal",
        compat="equals",
        join="exact",
        combine_attrs="override",
    )
    return joined.assign_coords(
        step=("checkpoint", list(steps), {"units": "steps", "long_name": "optimiser step"}),
        epoch=(
            "checkpoint",
            [step / steps_per_epoch for step in steps],
            {"units": "epochs", "long_name": "passes over the training images"},
        ),
    )
