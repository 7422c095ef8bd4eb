"""What a study will take: trainings, GPU-hours, bytes, files, and retries for a time limit. Nothing is run.

Hours follow from images per second, which are somebody's measurement: given, or those of runs of the same recipe that
are finished.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config.datasets import Dataset
from .config.generators import BandBiased, ShapesTextures
from .config.recipe import Recipe
from .config.study import Study, Tier
from .config.tiers import Control
from .store.atomic import read_json
from .training.schedule import checkpoint_steps

RUN_FILES = 4
"""checkpoints.safetensors, history.csv, class_history.csv, run.json."""
BESIDE = 2
"""Of every job: its log and its run time."""
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
    measurings : int
        Jobs that take a measure of a run.
    files : int
        Files of the study's own folder, logs and run times: what it takes of a quota of inodes.
    pack_bytes : dict
        Packed images by data set; None where the number of images is not known yet.
    """

    trainings: list[Trainings]
    measurings: int
    files: int
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
        """Hours of all trainings; None where those of some are not known."""
        each = [row.hours for row in self.trainings]
        if any(hours is None for hours in each):
            return None
        return sum(row.runs * (row.hours or 0.0) for row in self.trainings)


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
    speeds = {} if images_per_second else _speeds(study, results)
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
        trainings.append(Trainings(family, name, len(members), images, len(kept), size, hours, attempts))
    runs = sum(row.runs for row in trainings)
    measurings = runs * len(study.measures)
    per_tier = 2 + BESIDE + 3 + BESIDE  # manifest and indices; complexity and two spectra
    files = runs * (RUN_FILES + BESIDE) + measurings * (1 + BESIDE) + len(tiers) * per_tier
    pack_bytes = {name: _pack_bytes(options, packs.get(name)) for name, options in study.datasets.items()}
    return Estimate(trainings, measurings, files, pack_bytes)


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

    from .models.build import build_model

    with torch.device("meta"):
        model = build_model(recipe, classes, channels, size)
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _speeds(study: Study, results: Path) -> dict[str, float]:
    """Images per second of the slowest finished run of every recipe."""
    found: dict[str, float] = {}
    for run in study.list_runs():
        path = results / study.study / "runs" / run.tier / run.recipe / f"seed{run.seed}" / "run.json"
        if path.exists():
            speed = float(read_json(path)["images_per_second"])
            found[run.recipe] = min(found.get(run.recipe, math.inf), speed)
    return found


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
