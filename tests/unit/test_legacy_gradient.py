"""Legacy profiles equal what the released programs returned (tests/golden)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_models import images, network
from torch import nn

import spectral_priority as sp
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
    with pytest.raises(ValueError, match="same amplitude in all rings"):
        freqbias_spectrum(np.zeros((1, 3, 8, 8)))
