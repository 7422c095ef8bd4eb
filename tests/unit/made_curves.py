"""Files behind the figures of measures, classes and data, made up with a known answer, for a simulated study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from spectral_priority.figures.result_files import folder_of, label_columns, similarity_keys
from spectral_priority.statistics.tables import OVER_TRAINING
from spectral_priority.store.netcdf import write_dataset
from spectral_priority.store.provenance import provenance

STEPS = (0, 10, 100, 600)
LAYERS = ("stem", "block", "head")
BANDS = ("low", "mid", "high")
ABOUT = {"units": "1", "long_name": "made up"}


def over_training(
    study, steps=STEPS, noise=0.01, order=1.0, drops=(0.4, 0.1, 0.1), difference=0.5, rank=(0.9, 0.5)
):
    """Rows of over_training.csv.

    Rings reach half of their change at step 20 · ring^order (fast ones first for order < 0), removing a band costs
    `drops` at the end, centroids differ by `difference` at the end, and the effective rank goes from first to last of
    `rank`; all with that noise over runs.
    """
    random, rows = np.random.default_rng(5), []
    for run in study.list_runs():
        if run.recipe != study.recipes_of(study.tier(run.tier).family)[0]:
            continue

        def add(measure, variable, step, value, of="", at=np.nan, relative=False, run=run, **more):
            shift = random.normal(0, noise)
            value = value * np.exp(shift) if relative else value + shift
            row = {
                "instance": measure,
                "measure": measure,
                "variable": variable,
                "of": of,
                "at": at,
                "step": step,
            }
            told = {"value": value, "standard_error": noise or 0.001, "unit": "1"}
            rows.append({**run._asdict(), "n": 50, **row, **told, **more})

        for ring in range(1, 17):
            time = 20.0 * float(ring) ** order if order else random.uniform(1, 500)
            add("gradient", "half_time", steps[-1], time, at=ring, relative=True, unit="steps")
        for step in steps:
            done = step / max(steps[-1], 1)
            for band, drop in zip(BANDS, drops, strict=True):
                add("band-accuracy", "accuracy", step, 0.3 + (0.6 - drop) * done, of=f"band-stop-{band}")
                add("band-accuracy", f"{band}_drop", step, drop * done)
            add("band-accuracy", "accuracy", step, 0.3 + 0.6 * done, of="none")
            add("band-accuracy", "chance", step, 0.25)
            for name, value in (("within", 2.0), ("between", 2.0 + difference * done)):
                add("paths", f"softmax_{name}_centroid", step, value)
                if step in (steps[0], steps[-1]):
                    for cycle in range(1, 9):
                        share = 2.0**-cycle
                        add("paths", "softmax_share", step, share, of=name, at=cycle, relative=True)
            add("paths", "softmax_centroid_difference", step, difference * done)
            for measure, scale in (("weight-svd", 1.0), ("gradient-svd", 1e-4)):
                for layer in LAYERS:
                    for index in range(1, 5):
                        value = scale * (1 + 3 * done) / index
                        add(measure, "singular_value", step, value, of=layer, at=index, relative=True)
                first, last = rank
                add(measure, "mean_effective_rank_share", step, first + (last - first) * done)
    return pd.DataFrame(rows, columns=list(OVER_TRAINING))


def similarity(classes: int, block: int = 4, near: float = 0.8, far: float = 0.2, unknown: int = 0):
    """A similarity of classes in shuffled blocks, the last ones without any; with the block of each class."""
    of_block = np.random.default_rng(1).permutation(classes) // block
    matrix = np.where(of_block[:, None] == of_block[None, :], near, far)
    np.fill_diagonal(matrix, 1.0)
    for lost in range(classes - unknown, classes):
        matrix[lost], matrix[:, lost] = np.nan, np.nan
        matrix[lost, lost] = 1.0
    return matrix, of_block


def write_result_files(study, results: Path, classes: int = 12, gap: float = 3.0, **of_similarity) -> Path:
    """Write psd.h5, similarities and manifests of a study below results/; the classes of a tier are c0, c1, …"""
    names = [f"c{number}" for number in range(classes)]
    for dataset, label in label_columns(study):
        path = results / folder_of(study, dataset) / "spectra" / label / "psd.h5"
        write_dataset(path, psd(names, gap), "data:psd", provenance())
    for dataset, label, kind in similarity_keys(study):
        matrix, _ = similarity(classes, **of_similarity)
        path = results / folder_of(study, dataset) / "similarity" / label / f"{kind}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pd.DataFrame(matrix, columns=names)
        table.insert(0, "class", names)
        table.to_csv(path, index=False)
    for tier in study.list_tiers():
        path = results / study.study / "tiers" / f"{tier.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        members = [{"name": name, "title": name, "members": [name]} for name in members_of(tier, classes)]
        path.write_text(json.dumps({"tier": tier.name, "classes": members}))
    return results


def members_of(tier, classes):
    """The classes of a tier: of one block where it is near, of as many blocks as there are where it is far."""
    _, of_block = similarity(classes)
    if tier.level == "near":
        return [f"c{number}" for number in np.flatnonzero(of_block == tier.draw % (of_block.max() + 1))]
    return [f"c{np.flatnonzero(of_block == block)[0]}" for block in range(of_block.max() + 1)]


def psd(names, gap: float, error: float = 0.05, rings: int = 16) -> xr.Dataset:
    """Spectra of classes whose centroids lie `gap` cycles/image apart, first to last."""
    ring = np.arange(1, rings + 1)
    centroid = 5.0 + gap * np.arange(len(names)) / max(len(names) - 1, 1)
    power = ring ** -np.linspace(2.5, 1.5, len(names))[:, None]
    data = {
        "power_density": (("class", "ring"), power, ABOUT),
        "power_density_se": (("class", "ring"), power * 0.02, ABOUT),
        "centroid": ("class", centroid, {**ABOUT, "units": "cycles/image"}),
        "centroid_se": ("class", np.full(len(names), error), ABOUT),
        "slope": ("class", np.full(len(names), -2.0), ABOUT),
        "images": ("class", np.full(len(names), 100), ABOUT),
    }
    coordinates = {
        "class": ("class", list(names), ABOUT),
        "ring": ("ring", ring, ABOUT),
        "frequency": ("ring", ring / (2 * rings), ABOUT),
    }
    return xr.Dataset(data, coordinates)


def write_curves(study, results: Path) -> dict[str, Path]:
    """Write all of this below results/; return the arguments of `read_tables` for it."""
    write_result_files(study, results)
    path = results / "over_training.csv"
    over_training(study).to_csv(path, index=False)
    return {"over_training": path, "results": results}
