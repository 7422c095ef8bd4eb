"""What a run learns from: choices of images, shuffled labels, and targets that swing along a wave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_training import make_task, write_data

from spectral_priority.config.recipe import FourierWave, RadialWave, Recipe
from spectral_priority.errors import InputError
from spectral_priority.models import Normalise
from spectral_priority.training.examples import balanced, shuffled, training_examples
from spectral_priority.training.label_noise import fourier_direction, wave_weights


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def test_fewer_images_are_balanced_over_classes_and_nested(data):
    manifest = make_task(data).manifest
    chosen = {
        number: training_examples(manifest, Recipe(images=number, batch_size=8)) for number in (10, 30, 60)
    }
    for number, (index, label) in chosen.items():
        assert len(index) == number
        assert set(np.bincount(label)) <= {number // 3, number // 3 + 1}
        assert np.array_equal(label, manifest.label["train"][np.searchsorted(manifest.index["train"], index)])
    assert set(chosen[10][0]) < set(chosen[30][0]) < set(chosen[60][0])


def test_rare_classes_give_all_their_images_and_frequent_ones_the_rest():
    label = np.repeat([0, 1], [2, 20])
    chosen = balanced(label, 10, np.random.default_rng(0))
    assert np.bincount(label[chosen]).tolist() == [2, 8]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_shuffling_keeps_the_numbers_per_class_and_touches_its_share(share):
    label = np.arange(10_000) % 10
    found = shuffled(label, share, np.random.default_rng(0))
    assert np.array_equal(np.bincount(found), np.bincount(label))
    assert (found != label).mean() == pytest.approx(0.9 * share, abs=0.02)


def test_the_shuffled_labels_are_the_same_for_every_seed_of_training(data):
    task = make_task(data, label_noise={"kind": "shuffled"})
    (index, label), again = (training_examples(task.manifest, task.recipe) for _ in range(2))
    assert np.array_equal(label, again[1])
    assert not np.array_equal(label, task.manifest.label["train"])
    assert np.array_equal(index, task.manifest.index["train"])


def wave_of(noise, pixels):
    batches = [(torch.from_numpy(part).float(), None) for part in np.array_split(pixels, 3)]
    return wave_weights(noise, batches, Normalise("half", 3)).numpy()


PIXELS = np.random.default_rng(1).random((20, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("centre", [None, 25.0])
def test_the_radial_wave_follows_the_norm_of_the_normalised_image(centre):
    norm = np.sqrt((((PIXELS.astype(float) - 0.5) / 0.25) ** 2).sum(axis=(1, 2, 3)))
    middle = norm.mean() if centre is None else centre
    expected = 0.4 * (1 + np.sin(2 * np.pi * 0.3 * (norm - middle)))
    noise = RadialWave(kind="radial-wave", amount=0.4, frequency=0.3, centre=centre)
    assert wave_of(noise, PIXELS) == pytest.approx(expected, abs=1e-4)


def test_the_fourier_wave_follows_the_image_s_part_along_one_basis_image():
    direction = np.zeros((3, 8, 8))
    for c, y, x in np.ndindex(3, 8, 8):
        direction[c, y, x] = np.cos(2 * np.pi * (2 * y + 1 * x) / 8)
    direction /= np.linalg.norm(direction)
    assert fourier_direction((2, 1), 3, 8) == pytest.approx(direction, abs=1e-12)
    place = (((PIXELS.astype(float) - 0.5) / 0.25) * direction).sum(axis=(1, 2, 3))
    noise = FourierWave(kind="fourier-wave", amount=0.5, frequency=0.7, direction=(2, 1))
    expected = 0.5 * (1 + np.sin(2 * np.pi * 0.7 * place))
    assert wave_of(noise, PIXELS) == pytest.approx(expected, abs=1e-4)


def test_a_direction_beyond_nyquist_is_refused():
    with pytest.raises(InputError, match=r"label_noise.direction.*-4 to 4"):
        fourier_direction((0, 5), 1, 8)
