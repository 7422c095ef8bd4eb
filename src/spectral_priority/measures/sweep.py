"""A measure at every checkpoint of a run: each is kept when it is done, so that a killed sweep goes on where it was."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr
from torch import nn

from ..config.base import Section
from ..errors import InputError
from ..progress import track
from ..store.netcdf import read_dataset, write_dataset
from ..training.checkpoints import Checkpoints
from .probe import Probe

if TYPE_CHECKING:
    from .registry import Measure


def sweep(
    measure: Measure,
    model: nn.Module,
    checkpoints: Checkpoints,
    probe: Probe,
    options: Section,
    *,
    parts_folder: Path,
    kind: str,
    steps_per_epoch: float,
    label: str,
) -> xr.Dataset:
    """Measure every checkpoint, or read it where it was measured before, and join them.

    Parameters
    ----------
    measure : function
        From `registry.load_measure`.
    model : nn.Module
        The run's model, on the device to measure on; each checkpoint's weights are loaded into it.
    checkpoints, probe, options
        The run's checkpoints, the tier's probe, the measure's options.
    parts_folder : path
        Where results of single checkpoints lie, filed under a fingerprint of all that they depend on.
    kind : str
        What a result file holds, `measure:gradient`.
    steps_per_epoch : float
        For the coordinate `epoch`.
    label : str
        What the progress is called.

    Returns
    -------
    xarray.Dataset
        The measure's variables with `checkpoint` as their first dimension, on which `step` and `epoch` are coordinates.
    """
    parts = []
    for step in track(checkpoints.steps, label, unit="checkpoints"):
        file = parts_folder / f"step_{step:08d}.h5"
        part = _read(file, kind)
        if part is None:
            model.load_state_dict(checkpoints.load(step))
            part = measure(model, probe, options)
            write_dataset(file, part, kind, {})
        parts.append(part)
    joined = join(parts, checkpoints.steps, steps_per_epoch)
    for attribute in ("schema", "kind", "provenance"):
        joined.attrs.pop(attribute, None)
    return joined


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


def _read(file: Path, kind: str) -> xr.Dataset | None:
    """Read a checkpoint's result; a damaged one is measured again."""
    try:
        return read_dataset(file, kind) if file.exists() else None
    except InputError:
        return None
