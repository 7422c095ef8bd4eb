"""Every variant of training on a CUDA device: it learns, and goes on from what it saved."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from test_variants import VARIANTS
from tiny_training import make_task, train_in_process, write_data

from spectral_priority.program import Stopped
from spectral_priority.store.atomic import read_json
from spectral_priority.training.batches import Subset
from spectral_priority.training.finished import CHECKPOINTS, RUN
from spectral_priority.training.sources import run_source

pytestmark = pytest.mark.gpu

ALSO = {
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01},
    "images-beside-the-device": {},
    "torchvision-model": {"model": "resnet18", "stem": "cifar", "steps": 8},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.mark.parametrize("name", [*VARIANTS, *ALSO])
def test_a_variant_trains_and_goes_on(name, data, tmp_path, monkeypatch):
    if name == "images-beside-the-device":
        monkeypatch.setattr(Subset, "SHARE", 0.0)  # as of a set too large for it
    task = make_task(data, **{"steps": 20, **VARIANTS.get(name, {}), **ALSO.get(name, {})})
    with pytest.raises(Stopped):
        train_in_process(task, tmp_path, "cuda", stop=lambda made: "a test" if made == 5 else None)
    facts = read_json(train_in_process(task, tmp_path, "cuda") / RUN)
    assert [attempt["from_step"] for attempt in facts["attempts"]] == [0, 5]
    assert facts["optimizer_steps_run"] == task.recipe.steps


@pytest.mark.parametrize("role", ["init", "teacher"])
def test_a_run_uses_the_weights_of_another(role, data, tmp_path):
    first = train_in_process(make_task(data, steps=20), tmp_path / "first", "cuda")
    options = {role: {"recipe": "first"}}
    task = dataclasses.replace(
        make_task(data, steps=10, **options), **{role: run_source(first / CHECKPOINTS)}
    )
    facts = read_json(train_in_process(task, tmp_path / "second", "cuda") / RUN)
    assert facts["optimizer_steps_run"] == 10
