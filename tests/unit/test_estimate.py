"""What a study will take follows from its file: counted by hand here."""

import json
import runpy
from pathlib import Path

import pytest
import torch
import yaml

from spectral_priority.config import parse_study
from spectral_priority.config.recipe import Recipe
from spectral_priority.errors import InputError
from spectral_priority.estimate.study import SPARE_ATTEMPTS, estimate
from spectral_priority.models.build import build_model

STUDY = {
    "study": "counted",
    "datasets": {
        "made": {
            "size": 16,
            "color": "grey",
            "source": {"kind": "shapes-textures", "train": 700, "held_out": 100},
        },
        "files": {"size": 32, "source": {"kind": "image-folder", "paths": ["a.zip"]}},
    },
    "tiers": {
        "count": {
            "kind": "count",
            "dataset": "files",
            "counts": [2, 5],
            "draws": 3,
            "images": {"train": 500},
        },
        "each": {
            "kind": "count-per-class",
            "dataset": "files",
            "counts": [4],
            "draws": 1,
            "images": {"train": 100},
        },
        "labels": {"kind": "labels", "dataset": "made", "labels": ["shape"], "images": {"train": 400}},
        "control": {"kind": "control", "of": "count-5-d0"},
    },
    "recipes": {
        "base": {
            "width": 4,
            "steps": 90,
            "batch_size": 100,
            "checkpoints": {"early": [0], "every_epochs": 3},
        },
        "light": {
            "width": 4,
            "steps": 90,
            "batch_size": 100,
            "measure_during_training": True,
            "time_limit_minutes": 7,
        },
    },
    "measures": {"gradient": {}, "weight-svd": {}},
    "seeds": 2,
}


PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program():
    """The names of workflow/scripts/estimate.py."""
    return runpy.run_path(str(PROJECT / "workflow/scripts/estimate.py"), run_name="imported")


def rows(found):
    return {(row.family, row.recipe): row for row in found.trainings}


def weights(classes, channels, size):
    model = build_model(Recipe(width=4), classes, channels, size)
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def test_runs_checkpoints_and_bytes_are_those_of_the_study(tmp_path):
    found = rows(estimate(parse_study(STUDY), tmp_path))
    assert {key: row.runs for key, row in found.items()} == {
        **{("count", name): 12 for name in ("base", "light")},
        **{(family, name): 2 for family in ("each", "labels", "control") for name in ("base", "light")},
    }
    count = found["count", "base"]
    assert count.images == 9000
    assert count.checkpoints == 1 + 6, "of 5 batches an epoch: 0, 15, …, 90"
    assert count.bytes == 7 * weights(5, 3, 32) == found["control", "base"].bytes
    assert found["each", "base"].checkpoints == 1 + 8, "of 4 classes × 100 images an epoch: 0, 12, …, 84, 90"
    assert found["count", "light"].checkpoints == 1 and found["count", "light"].bytes == weights(5, 3, 32)
    assert found["labels", "base"].checkpoints == 9


def test_hours_and_attempts_follow_from_the_speed(tmp_path):
    whole = estimate(parse_study(STUDY), tmp_path, images_per_second=10)
    found = rows(whole)
    assert found["count", "base"].hours == pytest.approx(9000 / 10 / 3600)
    assert found["count", "base"].attempts == 1 + SPARE_ATTEMPTS
    assert found["count", "light"].attempts == 3 + SPARE_ATTEMPTS, "15 minutes in pieces of 7"
    assert whole.hours == pytest.approx(whole.runs * 900 / 3600)


def test_without_a_speed_hours_are_not_made_up_but_taken_from_finished_runs(tmp_path):
    study = parse_study(STUDY)
    assert estimate(study, tmp_path).hours is None
    for seed, speed in ((0, 50.0), (1, 20.0)):
        folder = tmp_path / f"counted/runs/count-2-d0/base/seed{seed}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"images_per_second": speed}))
    found = rows(estimate(study, tmp_path))
    assert found["each", "base"].hours == pytest.approx(9000 / 20 / 3600), "the slowest counts"
    assert found["count", "light"].hours is None and estimate(study, tmp_path).hours is None


def test_packs_are_counted_where_the_number_of_images_is_known(tmp_path):
    study = parse_study(STUDY)
    assert estimate(study, tmp_path).pack_bytes == {"made": 800 * 16 * 16, "files": None}
    (tmp_path / "data/files-32px").mkdir(parents=True)
    (tmp_path / "data/files-32px/pack.json").write_text(json.dumps({"images": 123, "classes": {"class": 7}}))
    assert estimate(study, tmp_path).pack_bytes["files"] == 123 * 32 * 32 * 3


def test_models_are_built_without_memory(tmp_path):
    study = parse_study(
        {
            **STUDY,
            "recipes": {"big": {"model": "resnet50", "steps": 1, "batch_size": 100}},
            "tiers": {
                "count": {**STUDY["tiers"]["count"], "counts": [1000], "floor": 1, "images": {"train": 1000}}
            },
        }
    )
    (row,) = estimate(study, tmp_path).trainings
    numbers = 25_557_032 + 2 * 26_560 + 53  # parameters, running means and variances, counters of 8 bytes
    assert row.bytes // row.checkpoints == 4 * (numbers - 53) + 8 * 53
    assert torch.get_default_device().type == "cpu"


def test_hours_and_bytes_of_measures_are_those_of_the_slowest_finished_run_of_their_recipe(tmp_path):
    study = parse_study(STUDY)
    assert not estimate(study, tmp_path).finished
    for tier, seconds, size in (("count-2-d0", 30.0, 5), ("count-5-d1", 36.0, 4)):
        times = tmp_path / f"benchmarks/counted/runs/{tier}/base/seed0/spectra/gradient.tsv"
        file = tmp_path / f"counted/runs/{tier}/base/seed0/spectra/gradient.h5"
        for path in (times, file):
            path.parent.mkdir(parents=True)
        times.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:30\t-\n")
        file.write_bytes(b"0" * size)
    found = estimate(study, tmp_path)
    assert found.measurings == dict.fromkeys(found.measurings, 18), "9 tiers × 2 seeds"
    assert found.measuring_hours == pytest.approx(18 * 36 / 3600) and found.spectra_bytes == 18 * 5
    assert found.unknown == [("base", "weight-svd"), ("light", "gradient"), ("light", "weight-svd")]


def test_gpu_hours_count_every_gpu_of_a_training(tmp_path):
    recipes = {"base": {**STUDY["recipes"]["base"], "gpus": 4}}
    study = parse_study({**STUDY, "recipes": recipes})
    found = estimate(study, tmp_path, images_per_second=10)
    assert found.hours == pytest.approx(4 * found.runs * 900 / 3600)


def test_retries_follow_from_the_longest_training_and_a_profile_with_fewer_is_told(tmp_path, program):
    found = estimate(parse_study(STUDY), tmp_path, images_per_second=10)
    assert found.retries == 3 + SPARE_ATTEMPTS - 1
    for allowed, warned in (("retries: 4", False), ("retries: 3", True), ("jobs: 100", True)):
        profile = tmp_path / "config.yaml"
        profile.write_text(allowed)
        text = program["warning"](found, profile)
        assert ("--retries 4" in text) if warned else text is None
    profile.write_text("- a list")
    with pytest.raises(InputError, match="profile"):
        program["warning"](found, profile)


def test_the_shipped_slurm_profile_has_retries_to_compare_with(program):
    profile = PROJECT / program["PROFILE"]
    assert yaml.safe_load(profile.read_text())["retries"] > SPARE_ATTEMPTS
