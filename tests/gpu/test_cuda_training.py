"""Training on a CUDA device: it learns in bfloat16, goes on where it stopped, and sees the images that the CPU sees."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from tiny_training import make_task, same_results, train_in_process, write_data

from spectral_priority.program import Stopped
from spectral_priority.store.atomic import read_json
from spectral_priority.training.batches import Subset
from spectral_priority.training.checkpoints import open_checkpoints
from spectral_priority.training.feed import Feed
from spectral_priority.training.finished import CHECKPOINTS, HISTORY, RUN
from spectral_priority.training.loop import Training, prepare_device

pytestmark = pytest.mark.gpu

LEARNS = {"steps": 200, "learning_rate": 0.1, "checkpoints": {"early": [0], "every_epochs": 40}}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def stop_after(steps: int):
    """Return a stop hook that asks for a stop after so many steps of an attempt."""
    return lambda made: "a test" if made == steps else None


def test_a_step_multiplies_in_bfloat16_and_keeps_float32_weights(data):
    training = Training(make_task(data), prepare_device("cuda", threads=1))
    kinds = set()
    head = [layer for layer in training.model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    head.register_forward_hook(lambda layer, given, logits: kinds.add(logits.dtype))
    training.take_step()
    training.close()
    assert kinds == {torch.bfloat16}
    assert {parameter.dtype for parameter in training.model.parameters()} == {torch.float32}


def test_bfloat16_training_learns_as_well_as_the_cpu(data, tmp_path):
    last = {
        device: pd.read_csv(
            train_in_process(make_task(data, **LEARNS), tmp_path / device, device) / HISTORY
        ).iloc[-1]
        for device in ("cpu", "cuda")
    }
    assert last["cuda"].corrected_accuracy > 0.8
    assert abs(last["cuda"].fixed_train_loss - last["cpu"].fixed_train_loss) < 0.1


def test_a_stopped_training_goes_on_where_it_was(data, tmp_path):
    task = make_task(data, steps=40)
    with pytest.raises(Stopped):
        train_in_process(task, tmp_path, "cuda", stop=stop_after(13))
    folder = train_in_process(task, tmp_path, "cuda")
    facts = read_json(folder / RUN)
    assert [attempt["from_step"] for attempt in facts["attempts"]] == [0, 13]
    assert facts["optimizer_steps_run"] == 40
    assert open_checkpoints(folder / CHECKPOINTS).steps[-1] == 40


def test_deterministic_training_ends_with_the_same_bytes_although_it_was_stopped(data, tmp_path):
    task = make_task(data, deterministic=True, steps=40)
    whole = train_in_process(task, tmp_path / "whole", "cuda")
    with pytest.raises(Stopped):
        train_in_process(task, tmp_path / "stopped", "cuda", stop=stop_after(13))
    assert same_results(whole, train_in_process(task, tmp_path / "stopped", "cuda"))


def test_images_that_lie_on_the_device_and_images_that_are_read_are_the_same(data, monkeypatch):
    task, device = make_task(data), torch.device("cuda")
    index, label = task.manifest.index["train"], task.manifest.label["train"]
    resident = Subset(task.images, index, label, device)
    monkeypatch.setattr(Subset, "SHARE", 0.0)
    gathered = Subset(task.images, index, label, device)
    on_cpu = Subset(task.images, index, label, torch.device("cpu"))
    assert resident.is_cheap and not gathered.is_cheap
    order = np.random.default_rng(0).permutation(len(index)).reshape(10, -1)
    feeds = [Feed(subset, lambda step: order[step], len(order)) for subset in (resident, gathered, on_cpu)]
    for step in range(len(order)):
        (_, raw, labels), *others = (feed.take(step) for feed in feeds)
        assert raw.is_cuda and labels.is_cuda
        for _, other, other_labels in others:
            assert torch.equal(raw.cpu(), other.cpu()) and torch.equal(labels.cpu(), other_labels.cpu())
    for feed in feeds:
        feed.close()


def test_augmentation_draws_the_same_on_both_devices(data):
    task = make_task(data, augment="flip-crop")
    training = Training(task, torch.device("cpu"))
    _, raw, _ = training.feed.take(0)
    assert torch.equal(training.augment(raw, 3, 5), training.augment(raw.cuda(), 3, 5).cpu())
