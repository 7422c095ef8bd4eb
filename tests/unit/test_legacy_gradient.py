"""Legacy profiles equal what the released programs returned (tests/golden)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import images, network
from torch import nn

import spectral_priority as sp
from spectral_priority.errors import InputError
from spectral_priority.measures.legacy_gradient import (
    fourier_sensitivity_spectrum,
    freqbias_heatmap,
    freqbias_spectrum,
)

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("size, rings", [(32, 20), (64, 43), (33, 21)])
def test_freqbias_equals_the_released_program(size, rings):
    golden = np.load(GOLDEN / "freqbias_gradient_spectrum.npz")
    found = freqbias_spectrum(golden[f"gradients_{size}"])
    assert found.shape[1] == rings
    np.testing.assert_allclose(found.mean(axis=0), golden[f"mean_{size}"], atol=1e-7)
    np.testing.assert_allclose(found.std(axis=0), golden[f"std_{size}"], atol=1e-7)


def test_legacy_ring_counts():
    noise = np.random.default_rng(0).normal(size=(1, 1, 224, 224))
    assert freqbias_spectrum(noise).shape == (1, 156)
    assert fourier_sensitivity_spectrum(noise).shape == (1, 158)
    assert fourier_sensitivity_spectrum(noise[..., :31, :31]).shape == (1, 23)


@pytest.mark.parametrize("size", [32, 64, 224])
def test_fourier_sensitivity_equals_the_released_notebook(size):
    golden = np.load(GOLDEN / "fourier_sensitivity.npz")
    found = fourier_sensitivity_spectrum(golden[f"gradients_{size}"])
    np.testing.assert_allclose(found, golden[f"per_image_{size}"], rtol=1e-5)
    np.testing.assert_allclose(found.mean(axis=0), golden[f"mean_{size}"], rtol=1e-5)


@pytest.mark.parametrize("name, kernel", [
    ("freqbias", freqbias_spectrum), ("fourier-sensitivity", fourier_sensitivity_spectrum),
])  # fmt: skip
def test_legacy_profiles_of_a_model_are_those_of_its_batch_mean_loss(name, kernel):
    pixels, labels = images(20, 16)
    model = network(16, kind=torch.float64)
    x = torch.from_numpy(pixels.transpose(0, 3, 1, 2) / 255).requires_grad_(True)
    nn.functional.cross_entropy(model(x), torch.from_numpy(labels)).backward()
    found = sp.gradient_spectrum(model, pixels, labels, legacy=name, batch_size=8)
    np.testing.assert_allclose(found.legacy, kernel(x.grad.numpy()).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found.legacy_sd, kernel(x.grad.numpy()).std(axis=0), rtol=1e-9)


def test_the_heat_map_is_scaled_over_epochs_and_rings_together():
    scaled = freqbias_heatmap(np.random.default_rng(0).random((5, 20)) + 3)
    assert scaled.min() == 0 and scaled.max() == 1
    assert (scaled.max(axis=1) < 1).sum() == 4
    with pytest.raises(ValueError, match="equal and constant"):
        freqbias_heatmap(np.ones((2, 3)))


class Opponent(nn.Module):
    """Looks at the difference of two channels where an image says so: their gradients then cancel each other."""

    def forward(self, pixels):
        difference = (pixels[:, 0] - pixels[:, 1]).flatten(1)[:, :3]
        return torch.where(pixels[:, 2, :1, 0] > 0, difference, pixels[:, 2].flatten(1)[:, 1:4] ** 2)


@pytest.mark.parametrize("name, kernel", [
    ("freqbias", freqbias_spectrum), ("fourier-sensitivity", fourier_sensitivity_spectrum),
])  # fmt: skip
def test_gradients_that_a_released_program_cannot_scale_are_left_out_of_its_profile_and_counted(name, kernel):
    pixels, labels = images(12, 8, classes=3)
    pixels[:, 0, 0, 2] = [255] * 6 + [0] * 6
    found = sp.gradient_spectrum(Opponent().double(), pixels, labels, legacy=name)
    rest = sp.gradient_spectrum(Opponent().double(), pixels[6:], labels[6:], legacy=name)
    assert (found.n, found.legacy_n, rest.legacy_n) == (12, 6, 6)
    np.testing.assert_allclose(found.legacy, rest.legacy, rtol=1e-6)
    none = sp.gradient_spectrum(Opponent().double(), pixels[:6], labels[:6], legacy=name)
    assert none.legacy_n == 0 and none.legacy.isnull().all()
    assert np.isnan(kernel(np.zeros((1, 3, 8, 8)))).all()


def test_images_with_a_single_released_ring_have_no_released_profile():
    pixels, labels = images(6, 5)
    found = sp.gradient_spectrum(network(5), pixels, labels, legacy="freqbias")
    assert found.legacy.sizes["legacy_ring"] == 1 and found.legacy.isnull().all() and found.legacy_n == 0


@pytest.mark.parametrize("name", ["freqbias", "fourier-sensitivity"])
def test_the_margins_gradient_is_not_called_a_released_programs(name):
    with pytest.raises(InputError, match=f"legacy: the {name} program takes the gradient of the loss"):
        sp.gradient_spectrum(network(), *images(4), objective="margin", legacy=name)
    loss, probability = (
        sp.gradient_spectrum(network(kind=torch.float64), *images(6), objective=of, legacy=name).legacy
        for of in ("loss", "probability")
    )
    np.testing.assert_allclose(loss, probability, rtol=1e-10)
