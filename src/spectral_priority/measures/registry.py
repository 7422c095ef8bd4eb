"""Measures by name. A measure is a module of this package with a function `measure`, found by its name alone.

To add one: write `measures/<name>.py` (dashes become underscores) with

    def measure(model, probe, options) -> xarray.Dataset        # one checkpoint; docs/architecture.md
    def over_training(swept) -> xarray.Dataset                  # optional: all checkpoints, joined

and its options class in config/measures.py; the sections of its docstring go to docs/measures.md (`reference`). Nothing
here imports torch or xarray before a measure is loaded, so that the Snakefile can ask which module a fingerprint must
cover.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from ..config.measures import MEASURES
from ..errors import InputError

if TYPE_CHECKING:
    import xarray
    from torch import nn

    from ..config.base import Section
    from .probe import Probe

    Measure = Callable[[nn.Module, Probe, Section], xarray.Dataset]


def measure_names() -> list[str]:
    """Return the names of all measures."""
    return list(MEASURES)


def measure_module(name: str) -> str:
    """Return the module of a measure, without the package's name, as `fingerprint.code_fingerprint` takes it.

    Raises
    ------
    InputError
        For a name that is no measure.

    Examples
    --------
    >>> measure_module("gradient")
    'measures.gradient'
    """
    if name not in MEASURES:
        raise InputError(f"measure {name!r}", "there is no such measure", ", ".join(MEASURES))
    return f"measures.{name.replace('-', '_')}"


def measure_options(name: str, settings: dict[str, Any]) -> Section:
    """Return a measure's checked options, defaults filled in.

    >>> measure_options("gradient", {"objective": "margin"}).objective
    'margin'
    """
    measure_module(name)
    try:
        return MEASURES[name].model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InputError(
            f"options of the measure {name}", faults, ", ".join(MEASURES[name].model_fields)
        ) from None


def load_measure(name: str) -> Measure:
    """Import a measure and return its function (model, probe, options) → Dataset of one checkpoint."""
    return import_module(f"..{measure_module(name)}", __package__).measure


def load_over_training(name: str) -> Callable[[xarray.Dataset], xarray.Dataset] | None:
    """Import what a measure concludes once all its checkpoints are joined; None where it concludes nothing.

    It is the function `over_training` of the measure's module: swept Dataset → swept Dataset.
    """
    return getattr(import_module(f"..{measure_module(name)}", __package__), "over_training", None)
