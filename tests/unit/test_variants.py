"""Each variant of training: it trains, it changes what it is to change, and it is resumed to the bit."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from tiny_training import RESULTS, make_task, same_results, train_in_process, write_data

from spectral_priority.errors import InputError
from spectral_priority.program import Stopped
from spectral_priority.training.checkpoints import open_checkpoints
from spectral_priority.training.loop import Training

VARIANTS = {
    "averaged": {"ema": 0.9},
    "step-schedule": {"schedule": "step", "step_at": [0.25, 0.5], "step_factor": 0.3},
    "triplet": {"objective": "triplet", "embedding": 5},
    "torchvision-augmentation": {"augment": "RandomRotation", "augment_options": {"degrees": 20}},
    "fewer-images": {"images": 32},
    "shuffled": {"label_noise": {"kind": "shuffled", "share": 0.5}},
    "radial": {"label_noise": {"kind": "radial-wave"}},
    "fourier": {"label_noise": {"kind": "fourier-wave", "direction": [0, 1]}},
    "imagenet-normalisation": {"normalisation": "imagenet"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    return train_in_process(make_task(data), tmp_path_factory.mktemp("plain"))


def stop_at(*steps):
    made = []

    def stop(steps_of_attempt):
        made.append(1)
        return "test" if len(made) in steps else None

    return stop


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_learns_otherwise_and_goes_on_to_the_bit(name, data, plain, tmp_path):
    task = make_task(data, **VARIANTS[name])
    whole = train_in_process(task, tmp_path / "whole")
    with pytest.raises(Stopped):
        train_in_process(task, tmp_path / "stopped", stop=stop_at(7))
    with pytest.raises(Stopped):
        train_in_process(task, tmp_path / "stopped", stop=stop_at(18))
    assert same_results(whole, train_in_process(task, tmp_path / "stopped"))
    assert (whole / RESULTS[0]).read_bytes() != (plain / RESULTS[0]).read_bytes()
    with (whole / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(np.isfinite(float(row["fixed_train_loss"])) for row in rows)


def test_checkpoints_hold_the_average_of_the_weights(data, tmp_path):
    decay = 0.5
    training = Training(make_task(data, ema=decay), torch.device("cpu"))
    name, expected = "network.head.weight", None
    for step in range(6):
        weight = training.model.get_parameter(name).detach().double().clone()
        if expected is None:
            expected = weight
        else:
            kept = min(decay, (1 + step) / (10 + step))
            expected = kept * expected + (1 - kept) * weight
        if step < 5:
            training.take_step()
    look = training.look()
    assert torch.allclose(look.model.get_parameter(name).double(), expected, atol=1e-6)
    assert not torch.allclose(training.model.get_parameter(name).double(), expected, atol=1e-4)


def test_an_embedding_s_checkpoints_hold_the_class_means_of_training_images(data, tmp_path):
    task = make_task(data, objective="triplet", embedding=5, batch_norm_images=0)
    folder = train_in_process(task, tmp_path)
    training = Training(task, torch.device("cpu"))
    model = training.model
    model.load_state_dict(open_checkpoints(folder / RESULTS[0]).load(40))
    model.eval()
    pixels, label = next(training.images.batches())  # 90 images: all of them
    with torch.no_grad():
        embedded = model.embed(pixels)
        means = torch.stack([embedded[label == c].mean(0) for c in range(3)])
        logits = model(pixels)
    assert torch.allclose(model.class_means, means, atol=1e-5)
    squared = ((embedded[:, None].double() - means.double()) ** 2).sum(2)
    assert torch.allclose(logits.double(), -squared, rtol=1e-3, atol=1e-3)
    assert (logits.argmax(1) == label).float().mean() > 0.6, "the embedding tells the classes"


def test_torchvision_transforms_are_drawn_for_each_image_from_seed_and_step(data):
    task = make_task(data, augment="RandomHorizontalFlip")
    augment = Training(task, torch.device("cpu")).augment
    raw = torch.arange(64 * 8 * 8, dtype=torch.float32).remainder(251).byte().reshape(64, 8, 8, 1)
    once, again, later = augment(raw, 1, 5), augment(raw, 1, 5), augment(raw, 1, 6)
    assert torch.equal(once, again)
    assert not torch.equal(once, later)
    mirrored = [bool(torch.equal(image, flipped)) for image, flipped in zip(raw.flip(2), once, strict=True)]
    kept = [bool(torch.equal(image, flipped)) for image, flipped in zip(raw, once, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 15 < sum(mirrored) < 49


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"augment": "TrivialAugmentWid"}, "did you mean 'TrivialAugmentWide'"),
        ({"augment": "MixUp"}, "found 'MixUp'"),
        ({"augment": "RandomCrop", "augment_options": {"size": 4}}, r"\(1, 4, 4\)"),
        ({"augment": "RandomCrop"}, "missing 1 required positional argument"),
        ({"augment": "RandomRotation", "augment_options": {"angle": 4}}, "RandomRotation.*degrees"),
    ],
)
def test_augmentations_that_can_not_be_had_are_refused_before_the_first_step(data, options, found):
    with pytest.raises(InputError, match=f"(?s)recipes.base.augment.*{found}"):
        Training(make_task(data, **options), torch.device("cpu"))


def test_more_images_than_the_tier_has_are_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"recipes.base.images.*found 91.*3 to 90"):
        train_in_process(make_task(data, images=91), tmp_path)


def test_a_loss_a_thousand_times_that_of_knowing_nothing_has_diverged(data, tmp_path, monkeypatch):
    from spectral_priority.training import objectives

    plain = objectives.CrossEntropy.loss

    def grows(self, model, pixels, labels, step, positions):
        return plain(self, model, pixels, labels, step, positions) * (1e4 if step >= 12 else 1)

    monkeypatch.setattr(objectives.CrossEntropy, "loss", grows)
    with pytest.raises(InputError, match=r"at step 12 \(epoch 2.40\).*learning_rate"):
        train_in_process(make_task(data), tmp_path)


def test_the_hook_sees_the_weights_of_every_checkpoint(data, plain, tmp_path):
    seen = {}

    def hook(step, model):
        seen[step] = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    train_in_process(make_task(data), tmp_path, at_checkpoint=hook)
    kept = open_checkpoints(plain / RESULTS[0])
    assert list(seen) == kept.steps
    for step in kept.steps:
        assert all(torch.equal(seen[step][name], tensor) for name, tensor in kept.load(step).items())
