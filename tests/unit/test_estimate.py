"""What a study will take follows from its file: counted by hand here."""

import json

import pytest
import torch

from spectral_priority.config import parse_study
from spectral_priority.config.recipe import Recipe
from spectral_priority.estimate import SPARE_ATTEMPTS, estimate
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
