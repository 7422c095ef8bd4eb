"""Results of single checkpoints: made once, after a training or inside it, and found again by what they depend on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from torch import nn

from ..config.base import Section
from ..errors import InputError
from ..fingerprint import options_fingerprint
from ..store.arrays import read_arrays, write_arrays
from .identity import PARTS
from .predicted_labels import with_predicted_labels
from .probe import Probe
from .registry import load_measure

if TYPE_CHECKING:
    from .registry import Measure


class Parts:
    """Results of one instance at single checkpoints of one run.

    Parameters
    ----------
    work : path
        Work folder of the instance.
    identity : mapping
        From `identity_of`: results of another identity are not seen.
    options : Section
        Of the measure, whose name they tell.
    probe : Probe
    earlier : xarray.Dataset, optional
        All checkpoints of the instance whose masks are tried; each checkpoint gets its own.
    """

    def __init__(
        self,
        work: Path,
        identity: Mapping[str, Any],
        options: Section,
        probe: Probe,
        earlier: xr.Dataset | None = None,
    ):
        self.folder = work / PARTS / options_fingerprint(identity)
        self.options, self.probe, self.earlier = options, probe, earlier
        self._measure: Measure = load_measure(options.measure)

    def find(self, step: int) -> xr.Dataset | None:
        """Return the result of a step; None where there is none, or a damaged one."""
        file = self._file(step)
        try:
            return read_arrays(file) if file.exists() else None
        except InputError:
            return None

    def make(self, step: int, model: nn.Module) -> xr.Dataset:
        """Measure a model, and keep the result as that of a step."""
        part = self._measure(model, self._probe_at(step, model), self.options)
        write_arrays(self._file(step), part)
        return part

    def _probe_at(self, step: int, model: nn.Module) -> Probe:
        """The probe with what of it changes over training: predicted classes, and masks to try."""
        probe = self.probe
        if probe.predicted:
            probe = with_predicted_labels(
                model, probe, self.options.batch_norm_images, self.options.batch_size
            )
        if self.earlier is not None:
            (place,) = np.flatnonzero(self.earlier["step"].values == step)
            probe = replace(probe, earlier=self.earlier.isel(checkpoint=place))
        return probe

    def _file(self, step: int) -> Path:
        return self.folder / f"step_{step:08d}.npz"


def measuring(instances: list[Parts]) -> Callable[[int, nn.Module], None]:
    """Return a hook for a training that takes measures of the model at every checkpoint."""

    def at_checkpoint(step: int, model: nn.Module) -> None:
        for parts in instances:
            if parts.find(step) is None:
                parts.make(step, copy.deepcopy(model))

    return at_checkpoint
