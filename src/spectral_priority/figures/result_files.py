"""Result files that figures show beside the study's tables, found under results/ as the study names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from ..config import Study
from ..data.images import PackedImages
from ..data.manifest import read_manifest
from ..errors import InputError
from ..store.atomic import read_json
from ..store.netcdf import read_dataset
from ..store.tables import read_csv


class Similarity(NamedTuple):
    """A class similarity, and the families whose tiers are chosen or grouped by it."""

    dataset: str
    label: str
    kind: str
    families: tuple[str, ...]
    classes: tuple[str, ...]
    matrix: np.ndarray


def folder_of(study: Study, dataset: str) -> str:
    """Return the folder of a data set, as a path under results/."""
    return f"data/{dataset}-{study.datasets[dataset].size}px"


def similarity_keys(study: Study) -> dict[tuple[str, str, str], list[str]]:
    """Return which similarities a study's tiers are made by: (data set, label, kind) → families."""
    keys: dict[tuple[str, str, str], list[str]] = {}
    for name in study.tiers:
        found = study.similarity_of(name)
        if found:
            keys.setdefault((study.tiers[name].dataset, *found), []).append(name)
    return keys


def similarities(study: Study, results: Path) -> list[Similarity]:
    """Read the similarities that a study's tiers are made by.

    Raises
    ------
    InputError
        For a missing or damaged file, by name.
    """
    read = []
    for (dataset, label, kind), families in similarity_keys(study).items():
        path = results / folder_of(study, dataset) / "similarity" / label / f"{kind}.csv"
        table = read_csv(path, ["class"])
        classes, matrix = tuple(table.columns[1:]), table.iloc[:, 1:].to_numpy(dtype=float)
        if matrix.shape != (len(classes),) * 2:
            raise InputError(path, f"has {len(table)} rows for {len(classes)} classes", "a square matrix")
        read.append(Similarity(dataset, label, kind, tuple(families), classes, matrix))
    return read


def manifest(study: Study, results: Path, tier: str) -> dict[str, Any]:
    """Read a tier's manifest."""
    return read_json(results / study.study / "tiers" / f"{tier}.json")


def label_columns(study: Study) -> list[tuple[str, str]]:
    """Return the (data set, label column) pairs that the study's tiers take their classes from, in its order."""
    return list(
        dict.fromkeys(
            (study.dataset_of(tier.name), study.labels_of(tier.name)) for tier in study.list_tiers()
        )
    )


def data_spectra(study: Study, results: Path) -> dict[tuple[str, str], xr.Dataset]:
    """Read the radial power spectra of the study's data: (data set, label column) → data:psd."""
    return {
        (dataset, label): read_dataset(
            results / folder_of(study, dataset) / "spectra" / label / "psd.h5", "data:psd"
        )
        for dataset, label in label_columns(study)
    }


class Gallery(NamedTuple):
    """Masks of one run's dominant frequencies, and an image of each class.

    Attributes
    ----------
    run : str
        The run, as `<tier>/<recipe>/seed<k>`.
    masks : Dataset
        The last checkpoint of its measure `shortcuts`.
    images : ndarray (class, N, N, channel)
        Pixels in [0, 1]: the first probe image of each class of `masks`.
    sources : ndarray (class,)
        Their places in images.h5.
    """

    run: str
    masks: xr.Dataset
    images: np.ndarray
    sources: np.ndarray


def shortcut_gallery(study: Study, results: Path, instance: str) -> Gallery:
    """Read the masks of the study's first run, and an image of each of its classes.

    Raises
    ------
    InputError
        For a missing, damaged or foreign file, by name.
    """
    run, tiers = study.list_runs()[0], results / study.study / "tiers"
    name = f"{run.tier}/{run.recipe}/seed{run.seed}"
    path = results / study.study / "runs" / name / "spectra" / f"{instance}.h5"
    found = read_dataset(path, "measure:shortcuts", {"kept", "tpr", "tpr_lower", "tpr_upper", "fpr", "dc_tpr", "class",
                                                      "mask", "class_n", "step"})  # fmt: skip
    facts = read_manifest(tiers / f"{run.tier}.json", tiers / f"{run.tier}.npz")
    number = {one["name"]: place for place, one in enumerate(facts.facts["classes"])}
    sources = []
    for class_name in found["class"].values.astype(str):
        own = facts.index["probe"][facts.label["probe"] == number.get(class_name, -1)]
        if not len(own):
            raise InputError(
                path, f"holds the class {str(class_name)!r}, of which {run.tier} has no probe image"
            )
        sources.append(int(own[0]))
    packed = PackedImages(results / folder_of(study, study.dataset_of(run.tier)) / "images.h5")
    pixels = packed.read(np.array(sources)) / 255.0
    return Gallery(name, found.isel(checkpoint=-1), pixels, np.array(sources))
