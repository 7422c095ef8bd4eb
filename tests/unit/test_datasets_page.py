"""What docs/datasets.md shows can be used, and the plans on paper are those of the study files."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import yaml

from spectral_priority.config import load_study
from spectral_priority.config.datasets import Dataset, Source
from spectral_priority.config.measures import BandAccuracy
from spectral_priority.measures.band_accuracy import filters

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "datasets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if re.match(r"\| (imagenet|radimagenet) \|", line)
]
NUMBERS = {"resnet18": 11_699_132, "resnet50": 25_610_205}
"""Parameters and batch-norm statistics with 1,000 classes."""
IMAGES_PER_SECOND = 2470


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split(":")[0])
def test_every_shown_data_set_is_valid(block):
    for options in yaml.safe_load(block).values():
        Dataset.model_validate(options)


def test_every_kind_is_named():
    for source in get_args(get_args(Source)[0]):
        (kind,) = get_args(source.model_fields["kind"].annotation)
        assert f"`{kind}`" in PAGE, kind


def checkpoints(recipe):
    early = {step for step in recipe.checkpoints.early if step <= recipe.steps}
    every = set(range(0, recipe.steps + 1, recipe.checkpoints.every_steps))
    return len(early | every | {recipe.steps})


@pytest.mark.parametrize("name", ["imagenet", "radimagenet"])
def test_the_table_of_trainings_follows_from_the_study(name):
    study = load_study(PROJECT / "config" / "studies" / f"{name}.yaml")
    runs = study.list_runs()
    listed = {(row[1], row[2]): row[3:] for row in ROWS if row[0] == name}
    computed = {}
    for run in runs:
        key = (study.tier(run.tier).family, run.recipe)
        computed[key] = computed.get(key, 0) + 1
    assert listed.keys() == computed.keys()
    size = hours = 0.0
    for key, count in computed.items():
        recipe = study.recipes[key[1]]
        images = recipe.steps * recipe.batch_size
        gigabytes = checkpoints(recipe) * NUMBERS[recipe.model] * 4 / 1e9
        each = images / IMAGES_PER_SECOND / 3600
        size, hours = size + count * gigabytes, hours + count * each
        assert listed[key] == [
            str(count),
            f"{images:,}",
            str(checkpoints(recipe)),
            f"{gigabytes:.2f}",
            f"{each:.2f}",
            f"{count * each:.1f}",
        ], key
    assert f"{name} {len(runs)} runs, {size:.0f} GB" in PAGE and f"{hours:.1f} GPU-hours" in PAGE
    assert (
        f"{len(runs)} trainings and {len(runs) * len(study.measures)}" in PAGE or f"{len(runs)} and" in PAGE
    )


def test_passes_of_band_accuracy_follow_from_its_defaults_and_the_study():
    passes = len(filters(224, BandAccuracy(), np.ones((224, 113))))
    study = load_study(PROJECT / "config" / "studies" / "imagenet.yaml")
    recipe, probe = study.recipes["base"], study.tiers["regroup"].images.probe
    whole = passes * probe * checkpoints(recipe)
    share = whole / (recipe.steps * recipe.batch_size)
    assert f"passes each probe image {passes} times" in PAGE
    assert f"{whole / 1e6:.2f} million\npasses for a run of `regroup`, {share:.0%}".replace("%", " %") in PAGE


def test_disk_follows_from_counts_and_sizes():
    for text, bytes_ in (
        ("200.4 GB", 1_331_167 * 224 * 224 * 3),
        ("400.8 GB", 2 * 1_331_167 * 224 * 224 * 3),
        ("67.7 GB", 1_350_000 * 224 * 224),
        ("135.5 GB", 2 * 1_350_000 * 224 * 224),
        ("18.1 GB", 120_000 * 224 * 224 * 3),
        ("109.9 GB", 730_000 * 224 * 224 * 3),
        ("3.0 GB", 60_000 * 224 * 224),
    ):
        assert text in PAGE and abs(float(text.split()[0]) - bytes_ / 1e9) < 0.051, text
