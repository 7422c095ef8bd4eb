"""Statements about critical-band masking; the slow reference makes noise image by image over the full plane."""

from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import images, network
from torch import nn

import spectral_priority as sp
from spectral_priority import filtering, fourier
from spectral_priority.errors import InputError
from spectral_priority.measures.critical_band import (
    _legacy_estimates,
    channel,
    octave_noise,
    thresholds,
)

GOLDEN = Path(__file__).parents[1] / "golden"


def frequencies(size):
    return [k - size if k > (size - 1) // 2 else k for k in range(size)]


def slow_noise(seed, number, size, lowest, highest):
    """White noise of one image, cut to an octave one frequency after another, of standard deviation 1."""
    plane = np.fft.fft2(np.random.default_rng([seed, number]).standard_normal((size, size)))
    for i, u in enumerate(frequencies(size)):
        for j, v in enumerate(frequencies(size)):
            plane[i, j] *= lowest < np.sqrt(u * u + v * v) <= highest
    noise = np.fft.ifft2(plane).real
    return noise / np.sqrt((noise**2).mean())


@settings(max_examples=20, deadline=None)
@given(
    size=st.integers(4, 19), number=st.integers(0, 2**40), seed=st.integers(0, 100), count=st.integers(1, 3)
)
def test_the_noise_of_any_size_equals_the_slow_reference(size, number, seed, count):
    ids = np.arange(number, number + count)
    found = octave_noise(seed, ids, size, torch.zeros((), dtype=torch.float64))
    edges = filtering.octaves(size)
    assert len(found) == len(edges)
    for noise, (lowest, highest) in zip(found, edges, strict=True):
        assert noise.shape == (count, 1, size, size)
        for one, image in zip(noise[:, 0], ids, strict=True):
            np.testing.assert_allclose(one, slow_noise(seed, image, size, lowest, highest), atol=1e-11)


def test_octaves_do_not_overlap_and_reach_from_the_lowest_frequency_to_half_the_side():
    for size in (4, 5, 8, 31, 32, 36, 64, 224):
        edges, radii = filtering.octaves(size), fourier.radius(size)
        np.testing.assert_array_equal(edges[1:, 0], edges[:-1, 1])
        np.testing.assert_array_equal(edges[:, 1], 2 * edges[:, 0])
        assert edges[-1, 1] == size / 2
        passes = filtering.octave_passes(size)
        np.testing.assert_array_equal(passes.sum(axis=0), (radii > 0) & (radii <= size / 2))
        assert (passes.sum(axis=(1, 2)) > 0).all()


class Recorder(nn.Module):
    """Keeps what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.weight = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return torch.stack([x.flatten(1).sum(1), 0 * x.flatten(1).sum(1) + self.weight], dim=1)


def test_a_model_sees_each_octave_at_each_strength_the_same_in_all_channels_and_not_clipped():
    pixels, labels = images(3, 10, 2, 2)
    eye, strengths, ids = Recorder(), [0.1, 0.7], np.array([5, 9, 2])
    found = sp.critical_band(eye, pixels, labels, strengths=strengths, seed=4, image_ids=ids)
    clean, *noisy = (seen.numpy() for seen in eye.seen)
    np.testing.assert_allclose(clean, pixels.transpose(0, 3, 1, 2) / 255)
    expected = [
        clean + strength * np.array([slow_noise(4, n, 10, low, high) for n in ids])[:, None]
        for low, high in zip(found.lowest.values, found.highest.values, strict=True)
        for strength in strengths
    ]
    np.testing.assert_allclose(noisy, expected, atol=1e-12)
    assert min(seen.min() for seen in noisy) < 0 and max(seen.max() for seen in noisy) > 1


class Waves(nn.Module):
    """An ideal observer of one wave of known sign."""

    def __init__(self, size, u, v):
        super().__init__()
        wave = filtering.basis_images(size, np.array([[u, v]]))[0]
        self.wave = nn.Parameter(torch.from_numpy(wave))

    def forward(self, x):
        z = (x.mean(dim=1) * self.wave).sum(dim=(1, 2))
        return torch.stack([-z, z], dim=1)


def plaids(size, u, v, amplitude, count):
    labels = np.arange(count) % 2
    wave = filtering.basis_images(size, np.array([[u, v]]))[0]
    pixels = 0.5 + amplitude * np.where(labels, 1, -1)[:, None, None, None] * wave
    return pixels, labels


def test_an_ideal_observer_of_one_wave_has_the_threshold_that_theory_tells():
    """In an octave of M frequencies noise of SD s has SD s·N/√M along the wave; 3/4 correct is 0.674 of those."""
    size, amplitude = 16, 1.0
    pixels, labels = plaids(size, 3, 0, amplitude, 3000)
    strengths = np.linspace(0.1, 1, 10)
    found = sp.critical_band(Waves(size, 3, 0), pixels, labels, strengths=strengths, seed=1)
    passes = filtering.octave_passes(size)[2]
    number = (passes * fourier.hermitian_weights(size)).sum()
    expected = amplitude * np.sqrt(number) / size / NormalDist().inv_cdf(0.75)
    assert found.lowest[2] == 2 and found.highest[2] == 4
    assert abs(found.threshold[2] - expected) < 3 * found.threshold_se[2] + 0.01
    assert 0 < found.threshold_se[2] < 0.03
    assert found.sensitivity[2] == pytest.approx(np.log2(1 / found.threshold[2]))
    others = found.isel(octave=[0, 1, 3])
    assert (others.accuracy == 1).all() and np.isnan(others.threshold).all()
    assert (others.sensitivity == 0).all() and (others.sensitivity_se == 0).all()
    assert int(found.threshold_missing) == 3 and int(found.sensitivity_missing) == 0
    assert int(found.channel_missing) == 1 and np.isnan(found.bandwidth)


def slow_threshold(accuracies, clean, chance, strengths):
    previous, reached = clean, 0.0
    for accuracy, strength in zip(accuracies, strengths, strict=True):
        accuracy = min(accuracy, previous)
        if accuracy <= (clean + chance) / 2:
            part = (previous - (clean + chance) / 2) / (previous - accuracy)
            return reached + part * (strength - reached)
        previous, reached = accuracy, strength
    return np.nan


def test_thresholds_equal_the_slow_reference():
    rng = np.random.default_rng(0)
    accuracy, clean = rng.uniform(0.1, 1, (50, 4, 7)), rng.uniform(0.5, 1, 50)
    strengths = np.array([0.02, 0.04, 0.08, 0.16])
    found = thresholds(accuracy, clean, 0.1, strengths)
    expected = [
        [slow_threshold(accuracy[row, :, band], clean[row], 0.1, strengths) for band in range(7)]
        for row in range(50)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert 10 < np.isnan(found).sum() < 200


def test_a_channel_is_recovered_and_its_bandwidth_is_its_width_at_half_height():
    octave = filtering.octaves(224).prod(axis=1) ** 0.5
    for height, centre, sigma in [(3, 20.0, 1.2), (1, 3.0, 2.5), (6, 60.0, 0.7)]:
        values = height * np.exp(-(np.log2(octave / centre) ** 2) / (2 * sigma**2))
        found = channel(values, octave)
        np.testing.assert_allclose(found, [height, np.log2(centre), sigma, 1], rtol=1e-5)
    assert np.isnan(channel(np.zeros(7), octave)).sum() in (0, 4)  # nothing to fit: never an exception


class Pink(nn.Module):
    """An observer of waves in several octaves, whose votes are weighted: a channel with wings."""

    def __init__(self, size, weights):
        super().__init__()
        template = sum(
            weight * filtering.basis_images(size, np.array([wave]))[0] for wave, weight in weights.items()
        )
        self.template = nn.Parameter(torch.from_numpy(template))

    def forward(self, x):
        z = (x.mean(dim=1) * self.template).sum(dim=(1, 2))
        return torch.stack([-z, z], dim=1)


def channel_of(number=600, seed=0, order=slice(None), **options):
    weights = {(1, 0): 0.05, (2, 0): 0.25, (3, 1): 0.9, (6, 2): 1.2, (11, 3): 0.9}
    model, labels = Pink(32, weights), np.arange(number) % 2
    template = model.template.detach().numpy()
    pixels = 0.5 + 0.02 * np.where(labels, 1, -1)[:, None, None, None] * template / np.abs(template).max()
    strengths = 0.01 * 2.0 ** np.arange(8)
    ids = 10_000 * seed + np.arange(number)
    return sp.critical_band(
        model, pixels[order], labels[order], strengths=strengths, image_ids=ids[order], **options
    )


def test_a_channel_is_found_where_the_model_looks_and_its_errors_foretell_the_scatter():
    found = channel_of()
    assert int(found.channel_missing) == int(found.channel_se_missing) == 0 and found.channel_r2 > 0.8
    height, centre, sigma, r2 = channel(found.sensitivity.values, found.octave.values)
    assert found.centre == pytest.approx(2**centre) and found.channel_r2 == pytest.approx(r2)
    half_width = found.bandwidth / 2  # at this distance the Gaussian has half its height
    assert np.exp(-(half_width**2) / (2 * sigma**2)) == pytest.approx(0.5)
    assert found.peak_sensitivity == pytest.approx(2**height / found.strength[-1])
    strongest = float(found.octave[int(found.sensitivity.values.argmax())])
    assert strongest / 2 < found.centre < 2 * strongest
    runs = [channel_of(200, seed) for seed in range(12)]
    for name in ("bandwidth", "centre", "peak_sensitivity", "sensitivity", "threshold"):
        spread = np.std([run[name].values for run in runs], axis=0, ddof=1)
        told = np.mean([run[f"{name}_se"].values for run in runs], axis=0)
        ratio = (told / spread)[np.isfinite(spread) & (spread > 0)]
        assert ((ratio > 0.4) & (ratio < 2.5)).all(), name


def test_conclusions_and_their_errors_hang_on_neither_order_nor_batches():
    found = channel_of(100)
    assert not found.threshold_se.isnull().any() and not found.centre_se.isnull()
    for other in (
        channel_of(100, order=np.random.default_rng(0).permutation(100)),
        channel_of(100, batch_size=7),
    ):
        xr.testing.assert_allclose(found, other, rtol=1e-9)


def test_a_model_no_better_than_chance_has_no_thresholds_and_says_so():
    pixels, labels = images(40, 32)
    found = sp.critical_band(network(32), pixels, labels)
    assert found.clean_accuracy - found.chance < 3 * found.clean_accuracy_se
    assert int(found.threshold_missing) == int(found.sensitivity_missing) == found.sizes["octave"] == 5
    assert int(found.channel_missing) == 1 and np.isnan(found.centre)
    assert np.isfinite(found.accuracy).all()


def test_one_image_has_accuracies_and_no_errors():
    found = sp.critical_band(network(), *images(1))
    assert int(found.n) == 1 and np.isfinite(found.accuracy).all()
    assert int(found.threshold_se_missing) == found.sizes["octave"]


def test_accuracies_are_means_with_their_standard_errors():
    found = channel_of(100)
    accuracy = found.accuracy.values
    expected = np.sqrt(accuracy * (1 - accuracy) / 99)
    np.testing.assert_allclose(found.accuracy_se, expected, atol=1e-12)


def test_noise_follows_the_seed_and_the_image_not_the_company():
    base, other = channel_of(100), channel_of(100, seed=1)
    assert abs(base.accuracy - other.accuracy).max() > 0
    assert abs(base.accuracy - channel_of(100, batch_size=7).accuracy).max() == 0
    like = torch.zeros((), dtype=torch.float64)
    several, alone = octave_noise(3, np.array([4, 8]), 16, like), octave_noise(3, np.array([8]), 16, like)
    assert all(torch.allclose(one[1:], two, atol=1e-14) for one, two in zip(several, alone, strict=True))
    assert not torch.equal(several[2], octave_noise(4, np.array([4, 8]), 16, like)[2])


def test_the_legacy_mode_equals_what_the_released_program_returned():
    """ajaysub110/critical-band-masking @a2b3d34, `find_thresholds`, `fit_gaussian` and `channel_props`, on seeded
    accuracies (case, 5 strengths from none on, 7 octaves)."""
    golden = np.load(GOLDEN / "critical_band_masking.npz")
    found = _legacy_estimates(golden["accuracy"][:, 1:], filtering.octaves(224)[:, 1])
    np.testing.assert_array_equal(found["legacy_threshold"], golden["thresholds"])
    names = ("legacy_bandwidth", "legacy_centre", "legacy_peak")
    np.testing.assert_allclose(
        np.stack([found[name] for name in names], axis=1), golden["channel"], rtol=1e-6
    )


def test_the_legacy_mode_stands_beside_the_measure_proper():
    found, plain = channel_of(200, legacy="critical-band-masking"), channel_of(200)
    low = found.accuracy.values <= 0.5
    assert (found.legacy_threshold <= low.sum(axis=0)).all() and found.legacy_threshold.dims == ("octave",)
    assert {"legacy_bandwidth", "legacy_centre", "legacy_peak_se", "legacy_missing"} < set(found.data_vars)
    assert plain.equals(found[list(plain.data_vars)])


def test_strengths_that_do_not_ascend_and_strange_ids_are_refused():
    with pytest.raises(InputError, match=r"strengths: .*ascend"):
        sp.critical_band(network(), *images(), strengths=[0.1, 0.05])
    with pytest.raises(InputError, match=r"image_ids: .*whole numbers from 0 on"):
        sp.critical_band(network(), *images(2), image_ids=np.array([-1, 2]))
