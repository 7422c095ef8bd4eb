"""Training: what a step sees, how it changes the weights, what is written about it, and what is refused beforehand."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_training import make_task, same_results, train_in_process, write_data
from torch import nn

from spectral_priority.config.recipe import Recipe
from spectral_priority.errors import InputError
from spectral_priority.fingerprint import SCRIPTS, SOURCE, _file, _imports, _syntax
from spectral_priority.models import build_model, recalibrated
from spectral_priority.store.finished import Finished
from spectral_priority.training.augmentation import flip_crop
from spectral_priority.training.batches import BATCH_NORM, EVALUATION, batch_norm_batches, fixed_sample
from spectral_priority.training.checkpoints import open_checkpoints
from spectral_priority.training.evaluation import evaluate
from spectral_priority.training.finished import CHECKPOINTS, OUTPUTS, publish_run
from spectral_priority.training.history import CLASS_HISTORY, HISTORY, class_rows, label_entropy
from spectral_priority.training.loop import Training
from spectral_priority.training.optimizer import Optimizer
from spectral_priority.training.randomness import Order
from spectral_priority.training.schedule import checkpoint_steps, learning_rate
from spectral_priority.training.task import check_task


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    return train_in_process(make_task(data), tmp_path_factory.mktemp("work"))


# What a step sees


def test_an_epoch_shows_every_image_once_and_the_next_in_another_order():
    order = Order(seed=1, number=12, batch_size=3)
    epochs = [np.concatenate([order.positions(4 * epoch + k) for k in range(4)]) for epoch in range(2)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert not np.array_equal(*epochs)


def test_the_images_of_a_step_follow_from_seed_and_step_alone():
    visited = Order(1, 12, 3)
    for step in range(30):
        visited.positions(step)
    assert np.array_equal(visited.positions(7), Order(1, 12, 3).positions(7))
    assert not np.array_equal(Order(2, 12, 3).positions(7), Order(1, 12, 3).positions(7))


def test_flip_crop_mirrors_half_of_the_images_and_shifts_them_with_zeros_behind():
    raw = torch.arange(1, 8 * 8 * 3 + 1).reshape(1, 8, 8, 3).to(torch.uint8).expand(500, -1, -1, -1)
    result = flip_crop(raw, np.random.default_rng(0)).numpy()
    image = raw[0].numpy()
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    expected = {}
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            shifted = padded[1 - down : 9 - down, 1 - right : 9 - right]
            expected[shifted.tobytes()] = False
            expected[shifted[:, ::-1].tobytes()] = True
    mirrored = [expected[one.tobytes()] for one in result]
    assert 0.4 < np.mean(mirrored) < 0.6
    assert len({one.tobytes() for one in result}) == 18


def test_samples_of_training_images_are_fixed_and_independent():
    sample = fixed_sample(90, 30, EVALUATION)
    assert len(set(sample)) == 30
    assert np.array_equal(sample, fixed_sample(90, 30, EVALUATION))
    assert not np.array_equal(sample, fixed_sample(90, 30, BATCH_NORM))
    assert np.array_equal(fixed_sample(90, 1000, EVALUATION), np.arange(90))


# How it changes the weights


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        (
            {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(
                p, lr=1.0, momentum=0.9, nesterov=True, weight_decay=0.01, foreach=False
            ),
        ),
        (
            {"optimizer": "sgd", "momentum": 0, "weight_decay": 0.0},
            lambda p: torch.optim.SGD(p, lr=1.0, foreach=False),
        ),
        (
            {"optimizer": "adamw", "weight_decay": 0.01},
            lambda p: torch.optim.AdamW(p, lr=1.0, weight_decay=0.01, foreach=False),
        ),
    ],
)
def test_optimisers_equal_those_of_torch(options, reference):
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 4), nn.Linear(5, 4)
    theirs.load_state_dict(ours.state_dict())
    optimizer = Optimizer(Recipe(**options), dict(ours.named_parameters()))
    expected = reference(theirs.parameters())
    for step in range(6):
        rate = 0.1 / (step + 1)
        x = torch.randn(8, 5)
        for model in (ours, theirs):
            model(x).square().sum().backward()
        optimizer.step(rate)
        expected.param_groups[0]["lr"] = rate
        expected.step()
        expected.zero_grad()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


def test_the_schedules_are_those_of_torch():
    for name, make in {
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=20),
        "constant": lambda o: torch.optim.lr_scheduler.ConstantLR(o, factor=1.0),
    }.items():
        recipe = Recipe(schedule=name, steps=20, learning_rate=0.3)
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
        scheduler = make(optimizer)
        for step in range(20):
            assert math.isclose(learning_rate(recipe, step), optimizer.param_groups[0]["lr"], rel_tol=1e-9)
            optimizer.step()
            scheduler.step()


def test_one_cycle_rises_over_the_first_three_tenths_and_falls_to_zero():
    recipe = Recipe(schedule="one-cycle", steps=100, learning_rate=2.0)
    rates = [learning_rate(recipe, step) for step in range(101)]
    assert rates[0] == pytest.approx(2.0 / 25)
    assert np.argmax(rates) == 30
    assert rates[30] == 2.0
    assert np.all(np.diff(rates[:31]) > 0)
    assert np.all(np.diff(rates[30:]) < 0)
    assert rates[100] == 0.0


def test_checkpoints_are_early_ones_then_epochs_then_the_last_step():
    dense = Recipe(steps=500)
    assert checkpoint_steps(dense, 90) == [0, 10, 30, 100, 300, 360, 450, 500]
    sparse = Recipe(steps=50, checkpoints={"early": [], "every_epochs": 0.3})
    assert checkpoint_steps(sparse, 50) == [0, 15, 30, 45, 50]
    assert checkpoint_steps(Recipe(steps=7, checkpoints={"early": [3, 300]}), 50) == [0, 3, 7]


def test_a_model_learns(data, tmp_path):
    history = pd.read_csv(train_in_process(make_task(data, augment="none"), tmp_path) / "history.csv")
    assert history.fixed_train_loss.iloc[-1] < 0.5 * history.fixed_train_loss.iloc[0]
    assert history.validation_accuracy.iloc[-1] > 0.6


def test_another_seed_ends_elsewhere(data, finished, tmp_path):
    other = train_in_process(dataclasses.replace(make_task(data), seed=4), tmp_path)
    assert not same_results(finished, other)


def test_the_same_training_ends_with_the_same_bytes(data, finished, tmp_path):
    torch.manual_seed(99)  # torch's random state from outside must not matter
    np.random.seed(99)  # noqa: NPY002
    assert same_results(finished, train_in_process(make_task(data), tmp_path))


def test_dropout_is_drawn_from_seed_and_step(data, monkeypatch):
    import spectral_priority.training.loop as loop

    monkeypatch.setattr(
        loop, "build_model", lambda *a: nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))
    )
    losses = []
    for consumed in (0, 3):
        training = Training(make_task(data), torch.device("cpu"))
        torch.rand(consumed)
        training.take_step()
        losses.append(training.loss_sum)
    assert losses[0] == losses[1]


# What is written


def test_history_says_what_the_checkpoints_score(data, finished):
    """Recomputed from the weights with a plain loop."""
    task = make_task(data)
    history = pd.read_csv(finished / "history.csv")
    per_class = pd.read_csv(finished / "class_history.csv")
    assert tuple(history.columns) == HISTORY
    assert tuple(per_class.columns) == CLASS_HISTORY
    checkpoints = open_checkpoints(finished / "checkpoints.safetensors")
    assert history.step.tolist() == checkpoints.steps == [0, 3, 10, 20, 30, 40]
    assert np.allclose(history.epoch, history.step / 5)
    assert np.allclose(history.images_seen, history.step * 16)
    assert np.allclose(history.chance, 1 / 3)
    assert np.isnan(history.train_loss[0])
    assert not history.drop(columns="train_loss").isna().any().any()
    row = history.iloc[-1]
    model = build_model(task.recipe, 3, 1, 8)
    model.load_state_dict(checkpoints.load(40))
    model = recalibrated(model, batch_norm_batches(task.images, task.manifest.index["train"], 20, "cpu"))

    def scores(part, chosen):
        index = task.manifest.index[part][chosen]
        pixels = torch.from_numpy(task.images.pixels[index]).permute(0, 3, 1, 2) / 255
        with torch.no_grad():
            logits = model(pixels).double().numpy()
        label = task.manifest.label[part][chosen]
        loss = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(label)), label]
        return loss.mean(), logits.argmax(1), label

    loss, predicted, label = scores("train", fixed_sample(90, 30, EVALUATION))
    assert math.isclose(row.fixed_train_loss, loss, rel_tol=1e-5)
    assert row.fixed_train_accuracy == (predicted == label).mean()
    assert math.isclose(row.loss_fraction, loss / np.log(3), rel_tol=1e-5)
    loss, predicted, label = scores("validation", slice(None))
    assert math.isclose(row.validation_loss, loss, rel_tol=1e-5)
    assert row.validation_accuracy == (predicted == label).mean()
    assert math.isclose(row.corrected_accuracy, (row.validation_accuracy - 1 / 3) / (2 / 3), abs_tol=1e-12)
    last = per_class[per_class.step == 40]
    assert last["class"].tolist() == ["one", "two", "three"]
    for number, entry in enumerate(last.itertuples()):
        assert entry.n == (label == number).sum()
        assert entry.recall == pytest.approx((predicted[label == number] == number).mean())


def test_train_loss_is_the_mean_over_the_minibatches_since_the_last_row(data, finished):
    training = Training(make_task(data), torch.device("cpu"))
    losses = []
    for _ in range(10):
        training.loss_sum = 0.0
        training.take_step()
        losses.append(training.loss_sum)
    history = pd.read_csv(finished / "history.csv").set_index("step")
    assert math.isclose(history.train_loss[3], np.mean(losses[:3]), rel_tol=1e-12)
    assert math.isclose(history.train_loss[10], np.mean(losses[3:]), rel_tol=1e-12)


def test_scores_of_a_class_follow_from_its_counts():
    rows = list(class_rows(5, 0.5, np.array([[10, 5, 4], [8, 0, 0], [0, 3, 0]]), ["a", "never", "absent"]))
    assert rows[0] == {
        "step": 5,
        "epoch": 0.5,
        "class": "a",
        "n": 10,
        "recall": 0.4,
        "precision": 0.8,
        "f1": 8 / 15,
    }
    assert [rows[1][key] for key in ("recall", "precision", "f1")] == [0.0, 0.0, 0.0]
    assert [rows[2][key] for key in ("n", "recall", "precision", "f1")] == [0, None, None, None]


def test_the_entropy_of_uneven_labels():
    assert math.isclose(label_entropy(np.array([0, 0, 0, 2])), -0.75 * math.log(0.75) - 0.25 * math.log(0.25))


def test_evaluation_counts_every_image_once_and_leaves_the_mode_alone():
    model = nn.Linear(2, 2, bias=False)
    model.weight.data = torch.eye(2)
    batches = [
        (torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])),
        (torch.tensor([[0.0, 2.0]]), torch.tensor([1])),
    ]
    scores = evaluate(model.train(), batches, classes=2)
    assert model.training
    assert scores.accuracy == pytest.approx(2 / 3)
    assert scores.counts.tolist() == [[2, 1, 1], [1, 2, 1]]
    expected = np.mean([math.log(1 + math.exp(d)) for d in (-1, 1, -2)])
    assert math.isclose(scores.loss, expected, rel_tol=1e-6)


def test_run_json_tells_what_was_run(data, finished):
    run = json.loads((finished / "run.json").read_text())
    assert run["steps_per_epoch"] == 5  # 90 images, batches of 16, the rest of an epoch dropped
    assert run["epochs"] == 8
    assert run["optimizer_steps_run"] == run["steps"] == 40
    assert run["published"] == "trained"
    assert run["device"] == "cpu"
    model = build_model(make_task(data).recipe, 3, 1, 8)
    assert run["parameters"] == sum(parameter.numel() for parameter in model.parameters())


# Finished runs


def test_published_files_are_newer_than_what_was_kept(data, finished, tmp_path):
    """Or Snakemake would find them older than their inputs, and run the training again for ever."""
    for file in finished.iterdir():
        os.utime(file, (1e9, 1e9))
    targets = {name: tmp_path / name for name in OUTPUTS}
    publish_run(Finished(finished.parents[1], finished.name), targets, "again")
    assert json.loads(targets["run.json"].read_text())["published"] == "again"
    assert all(file.stat().st_mtime > 1e9 for file in targets.values())
    assert (tmp_path / CHECKPOINTS).stat().st_ino == (finished / CHECKPOINTS).stat().st_ino


def test_publishing_copies_where_there_are_no_hard_links(data, finished, tmp_path, monkeypatch):
    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("spectral_priority.store.finished.os.link", refused)
    targets = {name: tmp_path / name for name in OUTPUTS}
    publish_run(Finished(finished.parents[1], finished.name), targets, "again")
    assert same_results(finished, tmp_path)


# What is refused


def test_a_loss_that_is_no_number_names_step_epoch_and_the_likely_cause(data, tmp_path):
    task = make_task(data, learning_rate=1e30, steps=20)
    with pytest.raises(InputError) as caught:
        train_in_process(task, tmp_path)
    text = str(caught.value)
    assert "training count-3-d0/base/seed3: the loss is" in text
    assert "at step " in text
    assert "(epoch 0." in text
    assert "lower recipes.base.learning_rate (1e+30)" in text
    assert not (tmp_path / "finished").exists()


def changed(task, **arrays):
    """Return a task whose manifest has other arrays (`train_label=…`)."""
    index, label = dict(task.manifest.index), dict(task.manifest.label)
    for name, values in arrays.items():
        part, _, what = name.partition("_")
        (label if what == "label" else index)[part] = values
    return dataclasses.replace(task, manifest=dataclasses.replace(task.manifest, index=index, label=label))


def test_tasks_that_can_not_be_trained_are_refused_before_the_first_step(data):
    task = make_task(data)
    label = task.manifest.label["train"]
    check_task(task)
    for broken, message in [
        (changed(task, train_label=label + 1), "has train labels from 1 to 3. Allowed: 0 to 2"),
        (changed(task, train_label=np.where(label == 1, 0, label)), "has no training images of two"),
        (changed(task, train_label=label[:-1]), "has 90 train images but 89 labels"),
        (changed(task, train_index=task.manifest.index["train"] + 100), "names train images outside of"),
        (
            changed(task, validation_label=np.zeros(24, int)),
            "has validation images of fewer than two classes",
        ),
        (make_task(data, batch_size=91), "found 91, more than the 90 training images"),
    ]:
        with pytest.raises(InputError) as caught:
            check_task(broken)
        assert message in str(caught.value)


def test_a_manifest_of_other_images_is_refused(data, tmp_path):
    write_data(tmp_path, seed=1)
    mixed = dataclasses.replace(make_task(data), images=make_task(tmp_path).images)
    with pytest.raises(InputError, match="was made from other images than"):
        check_task(mixed)


def test_a_training_knows_nothing_of_fourier_nor_of_measures():
    seen, waiting = set(), list(_imports(_syntax(SCRIPTS / "train.py"), "", SOURCE))
    while waiting:
        module = waiting.pop()
        file = _file(module, SOURCE)
        if module in seen or file is None:
            continue
        seen.add(module)
        package = module if file.name == "__init__.py" else module.rpartition(".")[0]
        waiting.extend(_imports(_syntax(file), package, SOURCE))
        waiting.append(module.rpartition(".")[0])
    assert "training.run" in seen
    assert not {
        name for name in seen if name.split(".")[0] in ("fourier", "measures", "statistics", "figures")
    }
