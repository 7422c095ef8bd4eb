"""The files of one run, read and checked: they belong to the run, to its manifest and to each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from ..config.base import Section
from ..config.scalars import OF_MEASURE
from ..config.statistics import Scalar
from ..config.study import Run, Study
from ..errors import InputError
from ..store.atomic import read_json
from ..store.netcdf import read_dataset, read_provenance
from ..store.tables import read_csv
from .tables import HISTORY

OF_MACHINES = {"threads", "gpus", "time_limit_minutes"}
"""Options of trainings and measures that no result depends on."""
SCALARS: tuple[str, ...] = get_args(Scalar)
"""Scalars of a profile (METHODS 3), each with a standard error `<scalar>_se`."""


@dataclass(frozen=True)
class Tier:
    """What priority.csv says about a tier."""

    name: str
    family: str
    kind: str
    level: str
    draw: int
    chain: str | None
    control: str | None
    manifest_sha256: str


@dataclass(frozen=True)
class RunFiles:
    """The small files of a run.

    Attributes
    ----------
    folder : path
        runs/<tier>/<recipe>/seed<k>/.
    facts : dict
        run.json.
    history : DataFrame
        history.csv, a row per checkpoint.
    """

    folder: Path
    facts: dict[str, Any]
    history: pd.DataFrame


def read_tier(study: Study, results: Path, name: str) -> Tier:
    """Read tiers/<tier>.json.

    Raises
    ------
    InputError
        For a missing or damaged manifest, and for one of another tier.
    """
    path = results / study.study / "tiers" / f"{name}.json"
    facts = read_json(path)
    tier = study.tier(name)
    _same(path, "tier", _fact(path, facts, "tier"), name)
    chain, control = _fact(path, facts, "chain"), _fact(path, facts, "control")
    return Tier(
        name,
        tier.family,
        study.tiers[tier.family].kind,
        tier.level,
        tier.draw,
        None if chain is None else str(chain),
        None if control is None else str(control),
        str(_fact(path, facts, "manifest_sha256")),
    )


def read_run(study: Study, results: Path, run: Run, tier: Tier) -> RunFiles:
    """Read run.json and history.csv of a run.

    Raises
    ------
    InputError
        Naming the file: missing, damaged, of another run, trained on another manifest than the tier's, or with other
        options than the study's.
    """
    folder = results / study.study / "runs" / run.tier / run.recipe / f"seed{run.seed}"
    path = folder / "run.json"
    facts = read_json(path)
    for name, expected in run._asdict().items():
        _same(path, name, _fact(path, facts, name), expected)
    for name in ("fingerprint", "code"):
        _fact(path, facts, name)
    if _fact(path, facts, "manifest_sha256") != tier.manifest_sha256:
        raise InputError(
            path,
            f"was trained on manifest {str(facts['manifest_sha256'])[:12]}, but the tier's manifest is now "
            f"{tier.manifest_sha256[:12]}",
            "runs of the tier's present manifest",
            "give the same snakemake command again: it trains the run anew",
        )
    _same_options(path, facts, study.recipes[run.recipe])
    path = folder / "history.csv"
    history = read_csv(path, HISTORY)
    step = history["step"].to_numpy()
    if len(step) == 0 or step[0] != 0 or not (np.diff(step) > 0).all():
        raise InputError(path, f"has {_few(step)}", "ascending steps that start with 0")
    return RunFiles(folder, facts, history)


def read_spectra(
    study: Study, run: RunFiles, instance: str, names: Collection[str] | None = None
) -> xr.Dataset:
    """Read spectra/<instance>.h5 of a run: all of it, or some variables beside the steps.

    Raises
    ------
    InputError
        Naming the file: missing, damaged, foreign, of another training of this run, with other options than the
        study's, or with other checkpoints than its history.
    """
    path = run.folder / "spectra" / f"{instance}.h5"
    kind = f"measure:{study.measures[instance].measure}"
    dataset = read_dataset(path, kind, None if names is None else {*names, "step", "epoch"})
    said = read_provenance(dataset)
    _same_options(path, said, study.measures[instance])
    made_from = _fact(path, said, "run_fingerprint")
    if made_from != run.facts["fingerprint"]:
        raise InputError(
            path,
            f"was measured on run {made_from}, but {run.folder / 'run.json'} is run {run.facts['fingerprint']}",
            "spectra of the run beside them",
            "give the same snakemake command again: it measures the run anew",
        )
    step = run.history["step"].to_numpy()
    if "step" not in dataset.variables or not np.array_equal(dataset["step"].values, step):
        found = _few(dataset["step"].values) if "step" in dataset.variables else "no steps"
        raise InputError(path, f"has {found}, but the run's history has {_few(step)}", "the same checkpoints")
    return dataset


def scalars_of(dataset: xr.Dataset, path: Path) -> list[str]:
    """Return the profile scalars of measured spectra; none where the measure has no profile.

    Raises
    ------
    InputError
        Where a scalar has no standard error, or there is no number of images `n`.
    """
    found = [name for name in SCALARS if name in dataset] if "share" in dataset else []
    lacking = [f"{name}_se" for name in found if f"{name}_se" not in dataset]
    if found and "n" not in dataset:
        lacking.append("n")
    if lacking:
        raise InputError(path, f"has no variable {', '.join(lacking)}")
    return found


def other_scalars_of(dataset: xr.Dataset, measure: str, path: Path) -> list[str]:
    """Return the scalars of a measure that has no profile.

    Raises
    ------
    InputError
        Where one of them, its error or `n` is missing.
    """
    if "share" in dataset:
        return []
    found = list(OF_MEASURE[measure])
    lacking = [name for name in [*found, "n"] if name not in dataset]
    lacking += [f"{name}_se" for name in found if not {f"{name}_se", f"{name}_lower"} & set(dataset)]
    if lacking:
        raise InputError(path, f"has no variable {', '.join(lacking)}")
    return found


def code_of(path: Path, facts: Mapping[str, Any]) -> str:
    """Return the code fingerprint that a file was made with."""
    return str(_fact(path, facts, "code"))


class OneCode:
    """Refuses files that were made by different code: differences between tiers could be differences of programs."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[Path, str]] = {}

    def check(self, kind: str, path: Path, code: str) -> None:
        """Compare a file's code fingerprint with that of the first file of its kind.

        Raises
        ------
        InputError
            Naming both files.
        """
        other, expected = self._first.setdefault(kind, (path, code))
        if code != expected:
            raise InputError(
                path,
                f"was made with code {code}, but {other} with code {expected}",
                "one code for all runs of a study",
                "give the same snakemake command again: it makes anew what other code has made",
            )


def _fact(path: Path, facts: Any, name: str) -> Any:
    if not isinstance(facts, Mapping) or name not in facts:
        raise InputError(path, f"has no {name}", todo="delete it; the same command makes it again")
    return facts[name]


def _same(path: Path, name: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise InputError(path, f"is of {name} {found!r}", f"{name} {expected!r}, as its place says")


def _same_options(path: Path, facts: Mapping[str, Any], options: Section) -> None:
    """Refuse a file that tells an option otherwise than the study."""
    expected, found = options.model_dump(mode="json", exclude=OF_MACHINES), facts.get("options", {})
    for name in expected:
        if name in found and found[name] != expected[name]:
            raise InputError(
                path,
                f"was made with {name}: {found[name]!r}, but the study says {expected[name]!r}",
                "results of the study as it is now",
                "delete it and give the same snakemake command again: it makes it anew",
            )


def _few(step: np.ndarray) -> str:
    shown = ", ".join(str(value) for value in step[:4])
    return f"{len(step)} checkpoints (steps {shown}{', …' if len(step) > 4 else ''})"
