"""All runs of a study as tables: priority, other measures, complexity, learning; and every profile in one dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..config.scalars import OF_MEASURE
from ..config.study import Run, Study
from ..errors import InputError
from ..store.netcdf import read_provenance
from .readings import Reading, readings
from .runs import (
    OneCode,
    RunFiles,
    Tier,
    code_of,
    other_scalars_of,
    read_run,
    read_spectra,
    read_tier,
    scalars_of,
)
from .tables import COMPLEXITY, HISTORY, PRIORITY, read_complexity

PROFILES = {
    "share": "share of gradient power",
    "share_se": "standard error of the share",
    "density": "density",
}
"""Variables of profiles.h5, with their long names."""


@dataclass(frozen=True)
class Gathered:
    """What a study's runs say (docs/architecture.md tells the columns)."""

    priority: pd.DataFrame
    measures: pd.DataFrame
    complexity: pd.DataFrame
    learning: pd.DataFrame
    profiles: xr.Dataset


def gather(
    study: Study, results: Path, track: Callable[[list[Run]], Iterable[Run]] = lambda runs: runs
) -> Gathered:
    """Read every run of a study.

    Parameters
    ----------
    study : Study
        Its file paths follow from it.
    results : path
        The folder results/.
    track : callable
        Shows progress over the runs.

    Raises
    ------
    InputError
        By file name: missing, damaged, foreign, or a mixture of trainings, manifests or code.
    """
    tiers = {tier.name: read_tier(study, results, tier.name) for tier in study.list_tiers()}
    settings = study.statistics
    fractions = list(dict.fromkeys([settings.matched_fraction, *settings.robustness_fractions]))
    codes = OneCode()
    priority: list[dict] = []
    measures: list[dict] = []
    learning: list[pd.DataFrame] = []
    profiles: list[xr.Dataset] = []
    for run in track(study.list_runs()):
        tier = tiers[run.tier]
        files = read_run(study, results, run, tier)
        path = files.folder / "run.json"
        codes.check("runs", path, code_of(path, files.facts))
        read = readings(files.history, fractions)
        learning.append(_learning(run, files))
        for instance in study.measures:
            path = files.folder / "spectra" / f"{instance}.h5"
            dataset = read_spectra(study, files, instance, _names(study.measures[instance].measure))
            codes.check(f"spectra {instance}", path, code_of(path, read_provenance(dataset)))
            if scalars := scalars_of(dataset, path):
                priority += _read_scalars(tier, run, instance, dataset, scalars, read)
            if others := other_scalars_of(dataset, study.measures[instance].measure, path):
                measures += _read_scalars(tier, run, instance, dataset, others, read)
            if "share" in dataset:
                size = study.datasets[study.dataset_of(run.tier)].size
                profiles.append(_profiles(run, instance, dataset, size))
    return Gathered(
        *(
            pd.DataFrame(rows, columns=list(PRIORITY)).astype({"fraction": float, "n": "Int64"})
            for rows in (priority, measures)
        ),
        pd.concat([_complexity(study, results, name) for name in tiers], ignore_index=True),
        pd.concat(learning, ignore_index=True),
        _joined(profiles),
    )


def _names(measure: str) -> set[str]:
    """What is read of a measure's result: its scalars with their errors, and a profile where there is one."""
    ends = ("", "_se", "_lower", "_upper")
    return {f"{name}{end}" for name in OF_MEASURE[measure] for end in ends} | {*PROFILES, "ring", "n"}


def _read_scalars(
    tier: Tier, run: Run, instance: str, dataset: xr.Dataset, scalars: list[str], read: list[Reading]
) -> list[dict]:
    values = np.stack([dataset[name].values for name in scalars], axis=1).astype(np.float64)
    nothing = np.full(len(values), np.nan)  # a number of classes has an interval, no standard error
    errors = np.stack([dataset.get(f"{name}_se", nothing) for name in scalars], axis=1).astype(np.float64)
    images = np.broadcast_to(dataset["n"].values, len(values))
    rows = []
    for reading in read:
        value, error = reading.of(values, errors)
        n = None if reading.weights is None else int(images[reading.weights > 0].min())
        for column, scalar in enumerate(scalars):
            rows.append(
                {
                    "tier": tier.name,
                    "family": tier.family,
                    "kind": tier.kind,
                    "level": tier.level,
                    "draw": tier.draw,
                    "chain": tier.chain,
                    "control": tier.control,
                    "recipe": run.recipe,
                    "seed": run.seed,
                    "instance": instance,
                    "reading": reading.name,
                    "fraction": reading.fraction,
                    "scalar": scalar,
                    "value": value[column],
                    "standard_error": error[column],
                    "untrained": values[0, column],
                    "unit": dataset[scalar].attrs["units"],
                    "n": n,
                    "reached": reading.reached,
                }
            )
    return rows


def _learning(run: Run, files: RunFiles) -> pd.DataFrame:
    learning = files.history[list(HISTORY)].copy()
    for place, (name, value) in enumerate(run._asdict().items()):
        learning.insert(place, name, value)
    return learning


def _complexity(study: Study, results: Path, tier: str) -> pd.DataFrame:
    path = results / study.study / "complexity" / f"{tier}.csv"
    table = read_complexity(path)
    strangers = sorted(set(table["tier"]) - {tier})
    if strangers or table.empty:
        found = f"is of tier {', '.join(strangers)}" if strangers else "has no row"
        raise InputError(path, found, f"complexity of tier {tier}")
    return table[list(COMPLEXITY)]


def _profiles(run: Run, instance: str, dataset: xr.Dataset, size: int) -> xr.Dataset:
    """Profiles of one run, with its checkpoints as the dimension `profile`."""
    found = xr.Dataset(
        {name: (("profile", "ring"), dataset[name].values) for name in PROFILES},
        {"ring": dataset["ring"].values},
    )
    count = found.sizes["profile"]
    alike = {"tier": run.tier, "recipe": run.recipe, "seed": run.seed, "instance": instance, "size": size}
    coordinates = {name: ("profile", np.full(count, value)) for name, value in alike.items()}
    for name in ("step", "epoch"):
        coordinates[name] = ("profile", dataset[name].values)
    return found.assign_coords(coordinates)


def _joined(profiles: list[xr.Dataset]) -> xr.Dataset:
    """Profiles of all runs on the longest ring axis, NaN beyond a profile's own rings."""
    if not profiles:
        raise InputError("measures", "no instance has a profile", "at least one that has, such as `gradient`")
    joined = xr.concat(profiles, dim="profile", join="outer", combine_attrs="drop")
    described = {name: (long_name, "1") for name, long_name in PROFILES.items()} | {
        "ring": ("ring", "cycles/image"),
        "tier": ("tier", "1"),
        "recipe": ("recipe", "1"),
        "seed": ("seed of the training", "1"),
        "instance": ("instance of a measure", "1"),
        "step": ("optimiser step", "1"),
        "epoch": ("epoch", "1"),
        "size": ("side of the images", "pixel"),
    }
    for name, (long_name, unit) in described.items():
        joined[name].attrs = {"units": unit, "long_name": long_name}
    return joined
