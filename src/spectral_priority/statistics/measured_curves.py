"""What the measures of a study's runs say over training, as one table for its figures: over_training.csv.

Scalars of measures are read by `gather`; here are the curves behind them: accuracy under each filter, spectra of paths,
singular values of layers, and when each ring reaches half of its change. Primary recipes only, as figures show these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..config.study import Run, Study
from ..store.netcdf import read_provenance
from .runs import OneCode, code_of, read_run, read_spectra, read_tier
from .tables import OVER_TRAINING

LEADING, LAYERS = 8, 3
"""Leading singular values that are kept, and of how many layers: the first, the last and those evenly between."""


class Curve(NamedTuple):
    """A variable of a measure: its dimension of names and that of numbers, and whether it is of every checkpoint."""

    variable: str
    of: str = ""
    at: str = ""
    checkpoints: str = "all"


CURVES = {
    "gradient": (Curve("half_time", at="ring", checkpoints="none"),),
    "band-accuracy": (
        Curve("accuracy", of="filter"),
        *(Curve(f"{band}_drop") for band in ("low", "mid", "high")),
        Curve("chance"),
    ),
    "paths": (
        Curve("softmax_share", of="pair", at="cycle", checkpoints="ends"),
        Curve("softmax_within_centroid"),
        Curve("softmax_between_centroid"),
        Curve("softmax_centroid_difference"),
    ),
    "weight-svd": (
        Curve("singular_value", of="layer", at="index"),
        Curve("mean_effective_rank_share"),
    ),
    "gradient-svd": (
        Curve("singular_value", of="layer", at="index"),
        Curve("mean_effective_rank_share"),
    ),
}
"""Measure → what is kept of it. Over groups of images (`gradient-svd`) the mean is taken."""


def measured_curves(
    study: Study, results: Path, track: Callable[[list[Run]], Iterable[Run]] = lambda runs: runs
) -> pd.DataFrame:
    """Read what the measures of every run of the primary recipes say over training.

    Parameters
    ----------
    study : Study
        Its file paths follow from it.
    results : path
        The folder results/.
    track : callable
        Shows progress over the runs.

    Returns
    -------
    DataFrame
        over_training.csv: a row per run × instance × variable × name (`of`: filter, pair, layer) × number (`at`: ring,
        cycle, index of a singular value) × step.

    Raises
    ------
    InputError
        By file name: missing, damaged, foreign, or a mixture of trainings, manifests or code.
    """
    instances = {name: of.measure for name, of in study.measures.items() if of.measure in CURVES}
    first = {family: study.recipes_of(family)[0] for family in study.tiers}
    runs = [run for run in study.list_runs() if run.recipe == first[study.tier(run.tier).family]]
    tiers = {name: read_tier(study, results, name) for name in dict.fromkeys(run.tier for run in runs)}
    codes, tables = OneCode(), []
    for run in track(runs):
        files = read_run(study, results, run, tiers[run.tier])
        for instance, measure in instances.items():
            path = files.folder / "spectra" / f"{instance}.h5"
            wanted = {name for curve in CURVES[measure] for name in (*curve[:3], f"{curve.variable}_se")}
            found = read_spectra(study, files, instance, {*wanted, "n"} - {""})
            codes.check(f"spectra {instance}", path, code_of(path, read_provenance(found)))
            for curve in CURVES[measure]:
                if (
                    curve.variable in found
                ):  # no ring's time without a second checkpoint, no drop without a filter
                    rows = curve_rows(found, curve)
                    tables.append(rows.assign(**run._asdict(), instance=instance, measure=measure))
    if not tables:
        return pd.DataFrame(columns=list(OVER_TRAINING))
    return pd.concat(tables, ignore_index=True)[list(OVER_TRAINING)]


def curve_rows(found: xr.Dataset, curve: Curve) -> pd.DataFrame:
    """Return one curve of one result as rows: variable, of, at, step, value, standard_error, unit, n."""
    values, steps = found[curve.variable], found["step"].values
    error = found.get(f"{curve.variable}_se", xr.full_like(values, np.nan, dtype=float))
    chosen: dict[str, object] = {}
    if curve.checkpoints == "ends":
        chosen["checkpoint"] = sorted({0, len(steps) - 1})
    if curve.of == "layer":
        chosen |= {"layer": some_of(found.sizes["layer"]), "index": slice(LEADING)}
    values, error = values.isel(chosen), error.isel(chosen)
    if curve.checkpoints == "none":  # of the whole training: its step is the last
        values, error, steps = values.expand_dims("checkpoint"), error.expand_dims("checkpoint"), steps[-1:]
    steps = steps[chosen.get("checkpoint", slice(None))]
    others = [name for name in values.dims if name not in ("checkpoint", curve.of, curve.at)]
    if others:  # groups of images share layers, so their errors don't add up
        values, error = values.mean(others), xr.full_like(values.mean(others), np.nan)
    places = np.indices(values.shape).reshape(values.ndim, -1)
    of_dim = dict(zip(values.dims, places, strict=True))
    names = {
        name: found[name].isel({name: chosen.get(name, slice(None))}).values for name in curve[1:3] if name
    }
    return pd.DataFrame(
        {
            "variable": curve.variable,
            "of": names[curve.of][of_dim[curve.of]].astype(str) if curve.of else "",
            "at": names[curve.at][of_dim[curve.at]].astype(float) if curve.at else np.nan,
            "step": steps[of_dim["checkpoint"]].astype(int),
            "value": values.values.ravel().astype(float),
            "standard_error": error.values.ravel().astype(float),
            "unit": found[curve.variable].attrs.get("units", "1"),
            "n": int(found["n"].values.ravel()[-1]),
        }
    )


def some_of(layers: int) -> list[int]:
    """Return the places of the layers that are kept.

    >>> some_of(5), some_of(2), some_of(54)
    ([0, 2, 4], [0, 1], [0, 26, 53])
    """
    return sorted(set(np.linspace(0, layers - 1, min(layers, LAYERS)).round().astype(int).tolist()))
