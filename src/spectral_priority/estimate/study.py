"""What a study will take: trainings, GPU-hours, bytes, inodes, and retries for a time limit. Nothing is run.

Hours of training follow from images per second, which are somebody's measurement: given, or those of runs of the same
recipe that are finished. Hours and bytes of measures are those of finished runs of the same recipe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.datasets import Dataset
from ..config.generators import BandBiased, ShapesTextures
from ..config.recipe import Recipe
from ..config.study import Study, Tier
from ..config.tiers import Control
from ..store.atomic import read_json
from ..training.schedule import checkpoint_steps
from .finished_runs import Measured, finished_measures, training_speeds
from .inodes import Inodes, count_inodes

MOST_CLASSES = 1000
"""Of tiers whose number of classes the data decide, before they are packed."""
SPARE_ATTEMPTS = 2
"""Attempts beyond those that the time limit asks for: a job may be preempted or lose its node."""


@dataclass(frozen=True)
class Trainings:
    """Runs of one family and recipe.

    Attributes
    ----------
    family, recipe : str
    runs : int
    gpus : int
        GPUs of one run.
    images : int
        Images that the optimiser of one run sees.
    checkpoints : int
    bytes : int
        Of one run's checkpoints.
    hours : float or None
        Of one run; None where no speed is known.
    attempts : int or None
        That Snakemake must be allowed (`retries` + 1) for one run within its time limit.
    """

    family: str
    recipe: str
    runs: int
    gpus: int
    images: int
    checkpoints: int
    bytes: int
    hours: float | None
    attempts: int | None


@dataclass(frozen=True)
class Estimate:
    """What a study will take.

    Attributes
    ----------
    trainings : list of Trainings
    measurings : dict
        (recipe, instance) → number of jobs that take this measure of a run of this recipe.
    finished : dict
        (recipe, instance) → what such a job took, where one is finished.
    inodes : Inodes
        Files and folders, by the place where they lie.
    pack_bytes : dict
        Packed images by data set; None where the number of images is not known yet.
    """

    trainings: list[Trainings]
    measurings: dict[tuple[str, str], int]
    finished: dict[tuple[str, str], Measured]
    inodes: Inodes
    pack_bytes: dict[str, int | None]

    @property
    def runs(self) -> int:
        """Number of trainings."""
        return sum(row.runs for row in self.trainings)

    @property
    def checkpoint_bytes(self) -> int:
        """Bytes of all checkpoints."""
        return sum(row.runs * row.bytes for row in self.trainings)

    @property
    def hours(self) -> float | None:
        """GPU-hours of all trainings; None where those of some are not known."""
        each = [row.hours for row in self.trainings]
        if any(hours is None for hours in each):
            return None
        return sum(row.runs * row.gpus * (row.hours or 0.0) for row in self.trainings)

    @property
    def measuring_hours(self) -> float:
        """GPU-hours of all measures whose time is known; the others are `unknown`."""
        return sum(self.measurings[key] * found.seconds for key, found in self.finished.items()) / 3600

    @property
    def spectra_bytes(self) -> int:
        """Bytes of the results of all measures whose size is known; the others are `unknown`."""
        return sum(self.measurings[key] * found.bytes for key, found in self.finished.items())

    @property
    def unknown(self) -> list[tuple[str, str]]:
        """(recipe, instance) of which no measure is finished yet."""
        return [key for key in self.measurings if key not in self.finished]

    @property
    def retries(self) -> int | None:
        """Retries that the profile must allow; None where no speed is known."""
        attempts = [row.attempts for row in self.trainings if row.attempts is not None]
        return max(attempts) - 1 if attempts else None


def estimate(study: Study, results: Path, images_per_second: float | None = None) -> Estimate:
    """Estimate what a study will take.

    Parameters
    ----------
    study : Study
    results : path
        The folder `results`, where finished runs and packs are looked for.
    images_per_second : float, optional
        Speed of every training; else that of finished runs of the same recipe.

    Returns
    -------
    Estimate
    """
    speeds = {} if images_per_second else training_speeds(study, results)
    packs = _packs(study, results)
    tiers = {tier.name: tier for tier in study.list_tiers()}
    groups: dict[tuple[str, str], list[Tier]] = {}
    for run in study.list_runs():
        groups.setdefault((tiers[run.tier].family, run.recipe), []).append(tiers[run.tier])
    trainings = []
    for (family, name), members in groups.items():
        recipe, dataset = study.recipes[name], study.datasets[study.dataset_of(members[0].name)]
        origins = {_origin(study, tier) for tier in members}
        classes = max(_classes(study, tier, packs) for tier in origins)
        present = max(_training_images(study, tier, classes) for tier in origins)
        steps = checkpoint_steps(recipe, max(1, min(present, recipe.images or present) // recipe.batch_size))
        kept = steps[-1:] if recipe.measure_during_training else steps
        images = recipe.steps * recipe.batch_size
        speed = images_per_second or speeds.get(name)
        hours = images / speed / 3600 if speed else None
        attempts = hours and math.ceil(hours * 60 / recipe.time_limit_minutes) + SPARE_ATTEMPTS
        size = len(kept) * _model_bytes(recipe, classes, dataset.channels, dataset.size)
        trainings.append(
            Trainings(family, name, len(members), recipe.gpus, images, len(kept), size, hours, attempts)
        )
    measurings: dict[tuple[str, str], int] = {}
    for row in trainings:
        for instance in study.measures:
            measurings[row.recipe, instance] = measurings.get((row.recipe, instance), 0) + row.runs
    recipes_of_tiers = sum(len(study.recipes_of(tier.family)) for tier in tiers.values())
    runs = sum(row.runs for row in trainings)
    inodes = count_inodes(len(tiers), recipes_of_tiers, runs, len(study.measures))
    pack_bytes = {name: _pack_bytes(options, packs.get(name)) for name, options in study.datasets.items()}
    return Estimate(trainings, measurings, finished_measures(study, results), inodes, pack_bytes)


def _origin(study: Study, tier: Tier) -> Tier:
    """The tier that a control shuffles; any other tier itself."""
    options = study.tiers[tier.family]
    return _origin(study, study.tier(options.of)) if isinstance(options, Control) else tier


def _classes(study: Study, tier: Tier, packs: Mapping[str, Any]) -> int:
    """Classes of a tier: its level, its family's number, those of its label in the pack, or at most MOST_CLASSES."""
    options: Any = study.tiers[tier.family]
    if options.kind == "labels":
        return int(packs.get(options.dataset, {}).get("classes", {}).get(tier.level, MOST_CLASSES))
    if options.kind in ("regroup", "count", "count-per-class"):
        return int(tier.level)
    return int(getattr(options, "classes", MOST_CLASSES))


def _training_images(study: Study, tier: Tier, classes: int) -> int:
    options: Any = study.tiers[tier.family]
    return options.images.train * (classes if options.kind == "count-per-class" else 1)


def _model_bytes(recipe: Recipe, classes: int, channels: int, size: int) -> int:
    """Bytes of a recipe's weights in a checkpoint; the model is built without any memory."""
    import torch

    from ..models.build import build_model

    with torch.device("meta"):
        model = build_model(recipe, classes, channels, size)
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _packs(study: Study, results: Path) -> dict[str, dict[str, Any]]:
    """The reports of those data sets that are packed."""
    paths = {
        name: results / "data" / f"{name}-{options.size}px" / "pack.json"
        for name, options in study.datasets.items()
    }
    return {name: read_json(path) for name, path in paths.items() if path.exists()}


def _pack_bytes(options: Dataset, report: Mapping[str, Any] | None) -> int | None:
    if options.pack == "encoded":
        return None
    if report:
        number = int(report["images"])
    elif isinstance(options.source, ShapesTextures | BandBiased):
        number = options.source.train + options.source.held_out
    else:
        return None
    return number * options.size**2 * options.channels
